"""Descriptions without identifiers (PS3.15 E.3.5, Clean Descriptors Option): text in, clean text out.

What goes: the study's own identifiers in any form, what identifies by its form, and names of people. What stays: all
other words and numbers. Knows no file, no element and no recipe.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from itertools import chain

from sendit.deid.identifiers.ages import cap_ages_in, years_of_birth
from sendit.deid.identifiers.announcements import Sure
from sendit.deid.identifiers.dates.calendar_words import CalendarWords
from sendit.deid.identifiers.dates.written_dates import WrittenDate, written_dates
from sendit.deid.identifiers.device_texts import is_no_code, is_part_of_version, speaks_of_somebody, sure_dates
from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.identifiers.identifying_forms import identifying_forms
from sendit.deid.identifiers.known_identifiers import KnownIdentifiers
from sendit.deid.identifiers.other_scripts import unknown_words
from sendit.deid.identifiers.people import names_of_people
from sendit.deid.identifiers.residuals import IdentifierForms, needles, occurs, plain
from sendit.deid.identifiers.text_words import NAME_HOLE
from sendit.deid.identifiers.vocabulary import fold, is_known, is_listed

HOLE = "\uf8ff"
"""Stands where something was taken out that is no name."""
_FIRST_DATE, _MOST_DATES = 0xE000, 4096
"""Dates stand aside as characters of the Private Use Area from here on, so that they are shifted once."""
_ASIDE = re.compile("[\ue000-\uefff]")
_CALENDAR_WORDS = CalendarWords(f"[\ue000-\uefff{HOLE}]")
_NOT_TEXT = re.compile("[\ufffd\ue000-\uf8ff\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
"""Signs that a text was not decoded as it was meant, or is none."""
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_TERM_WORD = re.compile(r"[^\W\d_]{3,}")
_BODY_PARTS = frozenset(
    ("CEREBRALA", "CIRCLEOFWILLIS", "CTSPINE", "LSSPINE", "LWRLEG", "SIJOINT", "SSPINE", "SUPRAORB", "TLSPINE",
     "UPRARM", "UPRLEG")
)  # fmt: skip
"""Of PS3.16 Annex L."""
_FOUR_NUMBERS = re.compile(r"(?<!\d)\d{1,3}(?:\.\d{1,3}){3}")
"""An address of the Internet Protocol, where there are no versions."""
_LONG_NUMBER = re.compile(r"\d{6,}")
_SAYS_SOMETHING = re.compile(r"[^\W_]")
LONGEST_TEXT = 1 << 18
"""Characters. A longer one is no description, and goes."""
MOST_ROUNDS = 6
"""What is taken out may bring together what then identifies. A text that is not clean after so many rounds goes."""


class Cleaner:
    """Cleans the texts of one patient-study.

    Parameters
    ----------
    identifiers : iterable of Identifier
        What must not remain, whatever it looks like.
    days : int, optional
        What dates in a text are shifted by; without it they go.
    """

    def __init__(self, identifiers: Iterable[Identifier], days: int | None = None) -> None:
        self._identifiers = tuple(identifiers)
        self._known = _known(self._identifiers)
        self._days = days

    def clean(self, text: str) -> str:
        """What may stay of a description; nothing where that cannot be told."""
        cleaned = self._cleaned(text)
        return "" if not cleaned.isascii() and self._is_found(cleaned) else cleaned

    def _is_found(self, text: str) -> bool:
        """Whether the proof would withhold the image for it: to the proof a letter beyond ASCII ends a word."""
        views = [plain(text.encode(encoding, "surrogatepass")) for encoding in ("utf-8", "utf-16-le")]
        return any(occurs(needle, view, 0, len(view)) for view in views for needle in self._needles)

    @cached_property
    def _needles(self) -> IdentifierForms:
        return needles(self._identifiers)

    def _cleaned(self, text: str) -> str:
        if len(text) > LONGEST_TEXT or _NOT_TEXT.search(text):
            return ""
        aside: list[str] = []
        left = text
        for _ in range(MOST_ROUNDS):
            cleaner = self._round(left, aside, Sure.QUITE if left == text else Sure.LITTLE)
            if cleaner == left:
                return text if left == text else self._restored(left, aside)
            left = tidied(cleaner)
        return ""

    def clean_term(self, text: str) -> str:
        """The text if all its words are known, else nothing: of what is no description, a part says nothing."""
        known = all(is_known(fold(word)) for word in _LONG_WORD.findall(text))
        return text if known and self.clean(text) == text else ""

    def clean_version(self, text: str) -> str:
        """As `clean_device_text`; the day on which a program was made, which is a part of its version, stays."""
        return self.clean_device_text(text, spared=is_part_of_version)

    def clean_device_text(self, text: str, spared: Callable[[WrittenDate, str], bool] = lambda *_: False) -> str:
        """What may stay of a model or the like: all but its dates, unless it speaks of somebody."""
        if len(text) > LONGEST_TEXT or _NOT_TEXT.search(text):
            return ""
        if speaks_of_somebody(text) or self._known.stand_in(text) or self._known.days.stand_in(text):
            return self.clean(text)
        dates = [one for one in sure_dates(text) if not spared(one, text)]
        return self._with_shifted(text, dates) if dates else text

    def _with_shifted(self, text: str, dates: Iterable[WrittenDate]) -> str:
        aside: list[str] = []
        left = _replaced(text, ((one.start, one.end, self._put_aside(one, aside)) for one in dates))
        return self._restored(tidied(left) if HOLE in left else left, aside)

    def device_term(self, text: str) -> str:
        """A term that devices write, or nothing where it speaks of somebody; words that are all known do not."""
        if speaks_of_somebody(text) or any(written_dates(text)) or _LONG_NUMBER.search(text):
            return ""
        if _FOUR_NUMBERS.search(text) or self._known.days.stand_in(text):
            return ""
        is_plain = all(is_listed(fold(word)) for word in _TERM_WORD.findall(text))
        found = self._known.numbers(text) if is_plain else chain(self._known.names(text), self._known.numbers(text))
        return text if next(found, None) is None else ""

    def body_part(self, text: str) -> str:
        """As `clean_term`: people type body parts. Some terms of the Standard are made of words that are none."""
        return text if text in _BODY_PARTS or (not _LONG_NUMBER.search(text) and self.clean_term(text)) else ""

    def without_identifiers(self, text: str) -> str:
        """The text, or nothing where one of the study's own identifiers stands in it: for a code, which is no text."""
        return "" if _NOT_TEXT.search(text) or self._known.stand_in(text) else text

    def clean_code(self, text: str) -> str:
        """The text, or nothing where it is no code but speaks of somebody, or tells a day of the study."""
        left = self.without_identifiers(text)
        if left and (is_no_code(text) or self._known.days.stand_in(text)):
            return ""
        return left

    def _round(self, text: str, aside: list[str], sure: Sure) -> str:
        """The text with holes where it identified."""
        text = _replaced(text, ((start, end, HOLE) for start, end in self._known.numbers(text)))
        text = _replaced(text, ((start, end, NAME_HOLE) for start, end in self._known.names(text)))
        text = _replaced(text, ((one.start, one.end, self._put_aside(one, aside)) for one in written_dates(text)))
        if self._days != 0:
            text = _replaced(text, ((start, end, HOLE) for start, end in _CALENDAR_WORDS.find(text)))
        text = cap_ages_in(_replaced(text, ((start, end, HOLE) for start, end in years_of_birth(text))))
        text = _replaced(text, ((start, end, HOLE) for start, end in identifying_forms(text)))
        text = _replaced(text, ((start, end, HOLE) for start, end in unknown_words(text)))
        return _replaced(text, ((start, end, NAME_HOLE) for start, end in names_of_people(text, sure)))

    def _put_aside(self, one: WrittenDate, aside: list[str]) -> str:
        """A sign for the shifted date; a hole where it is a birth date, is not understood or may not stay."""
        birth = one.day is not None and self._known.is_birth_date(one.day)
        shifted = None if self._days is None or birth or len(aside) >= _MOST_DATES else one.shifted(self._days)
        if shifted is None:
            return HOLE
        aside.append(shifted)
        return chr(_FIRST_DATE + len(aside) - 1)

    def _restored(self, left: str, aside: list[str]) -> str:
        """The text with its dates; nothing where that says nothing, or says too much by chance."""
        text = _ASIDE.sub(lambda sign: aside[ord(sign[0]) - _FIRST_DATE], left)
        return text if _SAYS_SOMETHING.search(text) and not self._known.stand_in(text) else ""


@lru_cache(maxsize=4)
def _known(identifiers: tuple[Identifier, ...]) -> KnownIdentifiers:
    """A study's cleaners have the same ones."""
    return KnownIdentifiers(identifiers)


def _replaced(text: str, found: Iterable[tuple[int, int, str]]) -> str:
    """The text with spans replaced; of those that overlap, what they cover together, by what the first one says."""
    out, at, last = [], 0, -1
    for start, end, instead in sorted(found, key=lambda one: (one[0], -one[1])):
        if start >= at or last < 0:
            out += [text[at:start], instead]
        at, last = max(at, end), start
    return "".join((*out, text[at:])) if out else text


# ---------------------------------------------------------------------------------------------- closing holes

_HOLES = f"{NAME_HOLE}{HOLE}"
_SOFT = r"[\s_\-,.;:/^|+&=~*'’`#@\\]"
_AROUND = re.compile(rf"(?P<before>{_SOFT}*)[{_HOLES}](?:{_SOFT}|[{_HOLES}])*")
_EMPTY = re.compile(r"[(\[{<\"]\s*[)\]}>\"]")


def tidied(text: str) -> str:
    """A text with holes, closed: one mark stays of those on either side of a hole, none at the ends or in brackets."""
    closed = _AROUND.sub(_mark, text)
    while closed != (emptied := _AROUND.sub(_mark, _EMPTY.sub(HOLE, closed))):
        closed = emptied
    return closed.strip() if closed != text else text


def _mark(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    if start == 0 or end == len(text) or text[start - 1] in '([{<"' or text[end] in ')]}>"':
        return ""
    marks = [mark for mark in match[0] if mark not in _HOLES]
    return next((mark for kind in ("\n", " ") for mark in marks if mark == kind), marks[0] if marks else " ")
