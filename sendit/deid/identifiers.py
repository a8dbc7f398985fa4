"""Who an image is of: what an identity service is asked, and what must not remain in any output."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass

from sendit.deid.header import Header

NAME_TAGS = (0x00100010, 0x00101001, 0x00101005, 0x00101060, 0x00102297)
"""Patient's Name, Other Patient Names, Birth Name, Mother's Birth Name, Responsible Person."""
ID_TAGS = (0x00100020, 0x00101000, 0x00080050, 0x00101090, 0x00380010, 0x00402016, 0x00402017)
"""Patient ID, Other Patient IDs, Accession Number, Medical Record Locator, Admission ID, order numbers."""
BIRTH_DATE, ADDRESS, TELEPHONE = 0x00100030, 0x00101040, 0x00102154
OTHER_IDS = 0x00101002

TAGS = (*NAME_TAGS, *ID_TAGS, BIRTH_DATE, ADDRESS, TELEPHONE, OTHER_IDS)
"""All of them."""

SHORTEST_NAME, SHORTEST_ID = 3, 4
"""Shorter ones cannot be told from ordinary words and numbers, and are not searched for."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """One thing that identifies a person: `kind` is name, id, date, phone or address. It has no voice."""

    kind: str
    text: str

    def __repr__(self) -> str:
        return f"Identifier({self.kind})"


def extract(header: Header) -> list[Identifier]:
    """The patient's own identifiers in a header, in the parts in which they may turn up elsewhere."""
    found = [Identifier("name", part) for tag in NAME_TAGS for part in _words(header.text(tag), SHORTEST_NAME)]
    ids = [value for tag in ID_TAGS for value in header.get(tag) or ()]
    for item in header.items(OTHER_IDS):
        ids += item.get(0x00100020) or ()
    found += [Identifier("id", value) for value in ids if len(re.sub(r"\W", "", value)) >= SHORTEST_ID]
    birth = header.text(BIRTH_DATE)
    if re.fullmatch(r"\d{8}", birth):
        found += [Identifier("date", form) for form in (birth, f"{birth[:4]}-{birth[4:6]}-{birth[6:]}")]
    found += [Identifier("phone", value) for value in header.get(TELEPHONE) or () if len(re.sub(r"\D", "", value)) >= 6]
    found += [Identifier("address", part) for part in _lines(header.text(ADDRESS))]
    return list(dict.fromkeys(found))


class Collected:
    """The identifiers of many headers, each once; most of a study's are alike."""

    __slots__ = ("_found", "_seen")

    def __init__(self) -> None:
        self._found: dict[Identifier, None] = {}
        self._seen: set[Hashable] = set()

    def add(self, header: Header) -> None:
        """Take in a header's."""
        key = header.encoded(TAGS)
        if key not in self._seen:
            self._seen.add(key)
            self._found.update(dict.fromkeys(extract(header)))

    def all(self) -> tuple[Identifier, ...]:
        """What was found, in order."""
        return tuple(self._found)


def _words(text: str, shortest: int) -> list[str]:
    """The parts of a name; for ideographs two characters are enough."""
    parts = re.split(r"[\W_\d]+", text)
    return [part for part in parts if len(part) >= (shortest if part.isascii() else 2)]


def _lines(text: str) -> list[str]:
    return [part for part in (piece.strip() for piece in re.split(r"[,;\r\n]", text)) if len(part) >= 6]
