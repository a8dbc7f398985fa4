"""Who an image is of, and who had to do with it: what an identity service is asked, and what must not remain."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from sendit.deid.identifiers.announcements import told_names
from sendit.deid.identifiers.dates.birth_dates import birth_dates, is_telling
from sendit.deid.identifiers.vocabulary import either, fold, listed, plain, starred
from sendit.deid.stream.header import Header
from sendit.errors import DataFault

NAME_TAGS = (0x00100010, 0x00101001, 0x00101005, 0x00101060, 0x00102297)
"""Patient's Name, Other Patient Names, Birth Name, Mother's Birth Name, Responsible Person."""
ID_TAGS = (0x00100020, 0x00101000, 0x00080050, 0x00101090, 0x00380010, 0x00402016, 0x00402017)
"""Patient ID, Other Patient IDs, Accession Number, Medical Record Locator, Admission ID, order numbers."""
BIRTH_TAGS = (0x00100030, 0x00100033)
"""Patient's Birth Date, and that in Alternative Calendar."""
DAY_TAGS = (0x00080020, 0x00080021, 0x00080022, 0x00080023)
"""Study, Series, Acquisition and Content Date: the days that are shifted."""
ADDRESS, TELEPHONE = 0x00101040, 0x00102154
OTHER_IDS = 0x00101002

STAFF_TAGS = (
    0x00080090, 0x0008009C, 0x00081048, 0x00081050, 0x00081060, 0x00081070, 0x00140104, 0x00142006, 0x00321032,
    0x00400006, 0x00401010, 0x00402008, 0x00404037, 0x0040A067, 0x0040A075, 0x0040A123, 0x0040A307, 0x0040A352,
    0x00700084, 0x300600A6, 0x300E0008, 0x40080102, 0x4008010A, 0x4008010C, 0x40080114, 0x40080119,
)  # fmt: skip
"""Attributes of VR PN that name a physician, an operator, an observer, a reviewer or another recipient or author."""
INSTITUTION_TAGS = (
    0x00080080, 0x00080081, 0x00081040, 0x00102299, 0x00120031, 0x00120060, 0x00321020, 0x00321033,
    0x00380300, 0x00380400, 0x00400010, 0x00400011, 0x00400242, 0x00400243, 0x00402009, 0x0040A027,
)  # fmt: skip
"""Institution, its address, department, responsible organization, trial site and others, places of a visit or
a procedure, Verifying Organization."""
STATION = 0x00081010
NUMBER_TAGS = (
    0x00101050, 0x00120040, 0x00120042, 0x00200010, 0x00380060, 0x00400009, 0x00400253, 0x00400512, 0x00400551,
    0x00401001,
)  # fmt: skip
"""Study ID, Service Episode ID, ids of procedures, of specimens and containers, Insurance Plan, ids in a trial."""
CONTACT_TAGS = (0x00080092, 0x00080094, 0x00401102, 0x00401103, 0x00402010)
"""Addresses and telephone numbers of a physician or another person, and of who ordered."""
PEOPLE_SEQUENCES = (
    0x00080096, 0x0008009D, 0x00081049, 0x00081052, 0x00081062, 0x00081072, 0x00400275, 0x00404034, 0x00404035,
    0x0040A073, 0x0040A078, 0x0040A07A, 0x0040A07C, 0x0040A730, 0x04000561,
)  # fmt: skip
"""Sequences that name people: identification of physicians and operators, requests, performers, observers, content,
and Original Attributes, which has what the patient was called before."""
PERSON_CODES, INSTITUTION_CODES, CODE_MEANING = 0x00401101, 0x00080082, 0x00080104
"""Person Identification and Institution Code Sequence: the meaning of such a code is a name."""

DESCRIPTIONS = (
    0x00081030, 0x0008103E, 0x00081080, 0x00082111, 0x00104000, 0x001021B0, 0x00180010, 0x00181030, 0x00184000,
    0x00204000, 0x00321030, 0x00321060, 0x00324000, 0x00384000, 0x00400254, 0x00400280, 0x00401002, 0x00401400,
    0x00402400, 0x00700081,
)  # fmt: skip
"""Texts that people write: study, series and procedure descriptions, reasons, histories, comments."""

TAGS = (
    *NAME_TAGS, *ID_TAGS, *BIRTH_TAGS, ADDRESS, TELEPHONE, OTHER_IDS, *STAFF_TAGS, *INSTITUTION_TAGS, *NUMBER_TAGS,
    *CONTACT_TAGS, *PEOPLE_SEQUENCES, INSTITUTION_CODES, STATION, *DAY_TAGS,
)  # fmt: skip
"""All of them but the descriptions."""
ASKED_FOR = frozenset(TAGS) | frozenset(DESCRIPTIONS)
"""What `extract` and `Collected` read of a header."""
_WHAT_SAYS = frozenset((*TAGS, PERSON_CODES, CODE_MEANING))
MOST_SEEN = 1_000
"""How many different headers of a study are remembered as taken in."""

VERIFIED = frozenset({"name", "id", "date", "phone", "address", "staff"})
"""Kinds that no output may hold, whatever its recipe. The others only go where a recipe says CLEAN."""

LONGEST_INITIALS = 3
MOST, MOST_OF_STUDY = 1_000, 4_000
"""So many identifiers may a header have, and the headers of a study: each is looked for in every text and output."""
SHORTEST_NAME, SHORTEST_ID = 3, 4
"""Shorter ones cannot be told from ordinary words and numbers, and are not searched for."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """One thing that identifies a person or a place. It has no voice.

    `kind` is name, id, date, phone or address: the patient's; staff: a part of the name of somebody who works there;
    person: a whole name, as PN has it; initials: also a name of two letters; announced: a name that a text announces;
    institution; station: a device's, which a recipe may keep; number: an id of a study, a procedure or a specimen; day:
    one on which images were made.
    """

    kind: str
    text: str

    def __repr__(self) -> str:
        return f"Identifier({self.kind})"


def extract(header: Header) -> list[Identifier]:
    """The identifiers in a header, in the parts in which they may turn up elsewhere; the patient's own first.

    Raises
    ------
    DataFault
        TooLarge: there are too many, or too many items in which they may be.
    """
    found: dict[Identifier, None] = {}
    others: dict[Identifier, None] = {}
    for one in (header, *_people(header)):
        found.update(dict.fromkeys(_patient(one)))
        others.update(dict.fromkeys(_others(one)))
        ensure_few(len(found) + len(others), MOST)
    found.update(others)
    found.update(dict.fromkeys(_told(header)))
    ensure_few(len(found), MOST)
    return list(found)


def ensure_few(count: int, most: int) -> None:
    """Raise TooLarge where there are more identifiers than can be looked for everywhere."""
    if count > most:
        raise DataFault("TooLarge")


def _told(header: Header) -> Iterator[Identifier]:
    """The names that descriptions announce: what is one in one text of a study is one in all."""
    for tag in DESCRIPTIONS:
        if tag in header:
            yield from (Identifier("announced", name) for text in header.get(tag) or () for name in told_names(text))


def _people(header: Header) -> Iterator[Header]:
    """The items of sequences that name people, and those within them."""
    for tag in PEOPLE_SEQUENCES:
        if tag in header:
            yield from _nested(header, tag)


def _nested(header: Header, tag: int) -> Iterator[Header]:
    """The items of a sequence and of those in it that have something to say."""
    for item in header.each_item(tag):
        if not _WHAT_SAYS.isdisjoint(item):
            yield item
        for inner in item:
            if item.vr(inner) == "SQ":
                yield from _nested(item, inner)


def _patient(header: Header) -> Iterator[Identifier]:
    for tag in NAME_TAGS:
        yield from _names(header, tag, "name")
    ids = (value for tag in ID_TAGS for value in header.get(tag) or ())
    others = (value for item in header.each_item(OTHER_IDS) for value in item.get(0x00100020) or ())
    long = (value for value in chain(ids, others) if _is_long(value) and not is_placeholder(value))
    yield from (Identifier("id", value) for value in long)
    for tag in BIRTH_TAGS:
        yield from _born(header.get(tag) or ())
    yield from _phones(header.get(TELEPHONE) or ())
    yield from (Identifier("address", part) for part in _lines(header.text(ADDRESS)))


def _born(values: tuple[str, ...]) -> Iterator[Identifier]:
    """The days that a birth date may mean; what means none is looked for as it stands."""
    for value in map(_decoded, values):
        days = birth_dates(value)
        yield from (Identifier("date", f"{day.year:04}{day:%m%d}") for day in days)
        if not days and is_telling(value):
            yield Identifier("id", value)


def _decoded(value: str) -> str:
    """The text of a VR that has no character set of its own, where it is UTF-8 all the same."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _others(header: Header) -> Iterator[Identifier]:
    """Staff, institutions and numbers."""
    for tag in STAFF_TAGS:
        yield from _names(header, tag, "staff")
    for tag in CONTACT_TAGS:
        values = header.get(tag) or ()
        phones = list(_phones(values))
        yield from phones or (Identifier("institution", part) for value in values for part in _lines(value))
    for item in header.items(PERSON_CODES):
        yield from _names(item, CODE_MEANING, "staff")
    places = [header.text(tag) for tag in INSTITUTION_TAGS]
    places += [item.text(CODE_MEANING) for item in header.items(INSTITUTION_CODES)]
    yield from (Identifier("institution", part) for place in places for part in _lines(place, SHORTEST_ID))
    yield from (Identifier("station", part) for part in _lines(header.text(STATION), SHORTEST_ID))
    days = dict.fromkeys(value for tag in DAY_TAGS for value in header.get(tag) or ())
    yield from (Identifier("day", found[0]) for value in days if (found := _DAY.match(value)))
    for tag in NUMBER_TAGS:
        yield from (Identifier("number", value) for value in header.get(tag) or () if _is_long(value))


def _names(header: Header, tag: int, kind: str) -> Iterator[Identifier]:
    """The parts of each name, and the whole; also as it was meant where it is UTF-8 that nobody declared."""
    values = header.get(tag) or ()
    for value in dict.fromkeys((*values, *map(_decoded, values))):
        if is_placeholder(re.sub(r"\d", " ", value)):
            continue
        parts = _words(value, kind)
        yield from (Identifier(kind, part) for part in parts)
        yield from (Identifier("initials", short) for short in _short_names(value, kind))
        if len(re.findall(r"[^\W\d_]+", value)) > 1 and (parts or kind == "name"):
            yield Identifier("person", value)


def _short_names(value: str, kind: str) -> Iterator[str]:
    """Parts of two letters, and the whole where it is initials: J.S., R^J^K."""
    components = value.split("=")[0].split("^")[:3]  # before its prefixes and suffixes (PS3.5 6.2.1)
    letters = re.findall(r"[^\W\d_]+", " ".join(components))
    is_role = kind == "staff" and any(part.lower() in listed("roles") for part in letters)
    if is_role or not all(map(str.isascii, letters)):
        return
    passed_over = listed("particles") | either("titles")
    yield from (part for part in letters if len(part) == 2 and part.lower() not in passed_over)
    if 1 < len(letters) == len("".join(letters)) <= LONGEST_INITIALS:
        yield "".join(letters)


_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def is_placeholder(text: str) -> bool:
    """Whether a text stands in the place of a name or an id and names nobody: Anon, Test^Patient, Removed by CTP."""
    words = [fold(part) for part in re.split(r"[\W_]+", text) if part]
    marks = starred("placeholders")
    return any(word in marks for word in words) and all(
        word in marks or word in plain("placeholders") for word in words
    )


def _words(text: str, kind: str) -> list[str]:
    """The parts of a name, without particles and what stands in place of a name; two ideographs are enough."""
    passed_over = listed("particles") | (listed("roles") if kind == "staff" else frozenset())
    parts = [part for part in re.split(r"[\W_\d]+", text) if len(part) >= (SHORTEST_NAME if part.isascii() else 2)]
    return [part for part in parts if part.lower() not in passed_over] or (parts if kind == "name" else [])


def _is_long(value: str) -> bool:
    return len(re.sub(r"[\W_]", "", value)) >= SHORTEST_ID


def _phones(values: tuple[str, ...]) -> Iterator[Identifier]:
    return (Identifier("phone", value) for value in values if len(re.sub(r"\D", "", value)) >= 6)


def _lines(text: str, shortest: int = 6) -> list[str]:
    return [part for part in (piece.strip() for piece in re.split(r"[,;\r\n\\]", text)) if len(part) >= shortest]


class Collected:
    """The identifiers of many headers, each once; most of a study's are alike."""

    __slots__ = ("_found", "_seen")

    def __init__(self) -> None:
        self._found: dict[Identifier, None] = {}
        self._seen: set[Hashable] = set()

    def add(self, header: Header) -> None:
        """Take in a header's; TooLarge, and nothing is taken in, where there are too many."""
        key = header.encoded(TAGS)
        if key not in self._seen:
            self._take(extract(header))
            self._remember(key)
        texts = header.encoded(DESCRIPTIONS)
        if texts not in self._seen:
            self._take(_told(header))
            self._remember(texts)

    def _take(self, identifiers: Iterable[Identifier]) -> None:
        new = {one: None for one in identifiers if one not in self._found}
        ensure_few(len(self._found) + len(new), MOST_OF_STUDY)
        self._found.update(new)

    def _remember(self, key: Hashable) -> None:
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen.add(key)

    def all(self) -> tuple[Identifier, ...]:
        """What was found, in order."""
        return tuple(self._found)
