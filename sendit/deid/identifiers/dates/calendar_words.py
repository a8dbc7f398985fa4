"""Weekdays and time zones in texts.

Beside a shifted date, a weekday that stayed would tell the shift but for whole weeks, and a time zone in which half of
the year the true date lies, for clocks are changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAMES = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonnabend", "sonntag",
    "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche",
    "lunes", "martes", "mi[eé]rcoles", "jueves", "viernes", "s[aá]bado", "domingo",
    "luned[iì]", "marted[iì]", "mercoled[iì]", "gioved[iì]", "venerd[iì]", "sabato", "domenica",
    "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag",
    "segunda-feira", "ter[cç]a-feira", "quarta-feira", "quinta-feira", "sexta-feira",
)  # fmt: skip
_SHORT = (
    "mon", "tues?", "wed", "thu(?:rs?)?", "fri", "sat", "sun", "mo", "di", "mi", "do", "fr", "sa", "so",
    "lun", "mar", "mer", "jeu", "ven", "sam", "dim",
)  # fmt: skip
"""They are other words too, as SAT is saturation, so they count only beside a date."""
_NAME = re.compile(rf"(?<![A-Za-zÀ-ÿ])(?:{'|'.join(_NAMES)})s?(?![A-Za-zÀ-ÿ])", re.IGNORECASE)
_ZONE = re.compile(
    r"(?<=[0-5][0-9])(?:\.[0-9]{1,6})?(?P<zone> ?(?:[+-](?:0[0-9]|1[0-4]):?[0-5][0-9]"
    r"|(?:UTC|GMT)[+-][0-9]{1,2}(?::?[0-9]{2})?|CES?T|MES?Z|[ECMP][DS]T|[BI]ST|AE[DS]T))(?![A-Za-z0-9])"
)
"""After a time of day: 10:15:00+02:00, 10:15 CEST."""
_CLOCK = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?$|(?:[01][0-9]|2[0-3])(?:[0-5][0-9]){2}$")


class CalendarWords:
    """Finds weekdays and time zones in a text in which one character stands for each date.

    Parameters
    ----------
    dates : str
        An expression for such a character.
    """

    def __init__(self, dates: str) -> None:
        short = "|".join(_SHORT)
        self._beside = re.compile(
            rf"(?<![A-Za-zÀ-ÿ])(?P<before>{short})(?=[.,]{{0,2}} {{0,2}}{dates})"
            rf"|{dates}[ ,(]{{1,3}}(?P<after>{short})(?![A-Za-zÀ-ÿ])"
            rf"|{dates}(?P<offset>[+-](?:0[0-9]|1[0-4])[0-5][0-9])(?![0-9])",
            re.IGNORECASE,
        )

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where they stand."""
        yield from (match.span() for match in _NAME.finditer(text))
        for match in self._beside.finditer(text):
            yield match.span(match.lastgroup or 0)
        for match in _ZONE.finditer(text):
            if _CLOCK.search(text, max(0, match.start() - 8), match.start()):
                yield match.span("zone")
