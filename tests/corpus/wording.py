"""What a corpus is made of: who is in it, what is said of them, and the files that it is said in.

In a text `{family}` and the like stand for what must go, `{date:FORMAT}` for a day that is shifted or goes, words in
`[brackets]` may go with them; every other word must stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from tests.corpus.people import Colleague, Patient, Place

FORMATS = {
    "iso": "%Y-%m-%d", "compact": "%Y%m%d", "us": "%m/%d/%Y", "german": "%d.%m.%Y", "long": "%B %d, %Y",
    "british": "%d %B %Y", "short": "%d-%b-%Y",
    "slashes": "%Y/%m/%d", "dots": "%Y.%m.%d", "upper": "%d%b%Y",
}  # fmt: skip


@dataclass(frozen=True)
class Wording:
    """A corpus' own words."""

    name: str
    patients: tuple[Patient, ...]
    staff: tuple[Colleague, ...]
    places: tuple[Place, ...]
    texts: tuple[str, ...]
    """What is typed into descriptions and comments, with identifiers among clinical words."""
    short_texts: tuple[str, ...]
    """The same in at most 64 characters."""
    clean_texts: tuple[str, ...]
    """What is typed there without any identifier, in at most 64 characters: it stays as it is."""
    files: tuple[str, ...]
    """The modalities (tests.corpus.modalities) that its studies are of."""
    syntaxes: tuple[str, ...]
    """Transfer syntaxes that uncompressed ones are written in, in turn."""
    creators: tuple[str, ...]
    """Private Creators that nobody knows."""


@dataclass(frozen=True)
class Typed:
    """A text, and what of it is to go, to stay and to be shifted: (its text, its format) each."""

    text: str
    gone: tuple[str, ...]
    kept: tuple[str, ...]
    days: tuple[tuple[date, str], ...]


_PART = re.compile(r"\{(?P<field>\w+)(?::(?P<format>\w+))?\}|\[(?P<optional>[^\]]*)\]")


def typed(template: str, fields: dict[str, str], day: date) -> Typed:
    """A template filled in."""
    gone: list[str] = []
    days: list[tuple[date, str]] = []

    def put(match: re.Match[str]) -> str:
        if match["optional"] is not None:
            return match["optional"]
        if match["field"] == "date":
            days.append((day, FORMATS[match["format"]]))
            return day.strftime(FORMATS[match["format"]])
        gone.append(fields[match["field"]])
        return fields[match["field"]]

    text = _PART.sub(put, template)
    kept = re.findall(r"[^\W_]+", _PART.sub(" ", template))
    return Typed(text, tuple(gone), tuple(kept), tuple(days))
