"""What a profile comes to in the recipe language: a code of PS3.15 Table E.1-1 in, the lines of a recipe out.

Conditional codes ask for the attribute's Type (PS3.3) where it stands. Where that is not known, the action is the one
that is valid whatever the Type: a dummy says as little of the patient as nothing does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from pydicom._dicom_dict import DicomDictionary

from sendit.deid.identifiers.ages import OLDEST
from sendit.deid.recipe.departures import Departure
from sendit.deid.recipe.field_syntax import parse_field
from sendit.deid.recipe.profile import (
    CLEAN_DESCRIPTORS,
    FULL_DATES,
    MODIFIED_DATES,
    PATIENT_CHARACTERISTICS,
    RETAIN_UIDS,
    SAFE_PRIVATE,
    Profile,
    Ruling,
)
from sendit.deid.recipe.rules import PSEUDONYM, Action, BoundRule, Rule, Value
from sendit.deid.recipe.selectors import Keyword, Path, PrivateTag, Selector, Tag
from sendit.deid.standard import shared_values
from sendit.deid.standard.attribute_types import UNKNOWN, types
from sendit.deid.standard.codes import Code
from sendit.deid.standard.profile_table import ProfileRow, table
from sendit.deid.standard.safe_private import safe_private
from sendit.deid.stream.tags import default_vr

SHIFT, NO_SHIFT = Value("var", "jitter"), Value("literal", "0")
CAPPED_AGE = Value("deid_func", "cap_age", (("max", str(OLDEST)),))

PSEUDONYMS = {0x00080050: Value("var", "item_id"), 0x00100010: Value("var", "entity_id")}
PSEUDONYMS[0x00100020] = PSEUDONYMS[0x00100010]
"""Accession Number, Patient's Name, Patient ID: their dummy is the pseudonym of the study or the patient."""

DUMMIES = {"AS": "000Y", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "UR": "urn:removed"}
DUMMIES |= dict.fromkeys(("DS", "IS", "FD", "FL", "SL", "SS", "UL", "US"), "0")
"""A legal value that says nothing, by VR; of others, the word REMOVED."""

DUMMY_OFFSET = {0x00080201: "+0000"}
"""Timezone Offset From UTC has a form of its own."""

DUMMY_CODE = Value("code", str(Code("261665006", "SCT", "Unknown")))
CODE_SEQUENCES = frozenset({0x00080082, 0x00401101})
"""Institution Code Sequence, Person Identification Code Sequence: their dummy is an item with a code."""

TREES = frozenset({0x00340001, 0x00700001, 0x0040A730})
"""Flow Identifier, Graphic Annotation and Content Sequence: nothing of them would be left but dummies, so they go."""

STRUCTURE = (
    "AnchorPointAnnotationUnits", "AnchorPointVisibility", "BoundingBoxAnnotationUnits",
    "BoundingBoxTextHorizontalJustification", "CodingSchemeVersion", "ContextGroupExtensionFlag", "ContextIdentifier",
    "ContinuityOfContent", "GraphicAnnotationUnits", "GraphicFilled", "GraphicType", "MappingResource",
    "MappingResourceName", "PixelOriginInterpretation", "RelationshipType", "TemplateIdentifier", "TemporalRangeType",
    "UniversalEntityIDType", "ValueType",
)  # fmt: skip
"""Terms of the Standard that say how codes, content and graphics are to be read; cleaning a sequence leaves them."""

REFERRED_TO = ("GraphicLayer",)
"""Names by which one item of an image refers to another: both must come to the same, and no two of them."""

TEXTS = ("AE", "CS", "LO", "LT", "SH", "SQ", "ST", "UC", "UT")
"""VRs that can be cleaned; of others the code C comes to the Basic Profile's."""

_DESCRIBES = re.compile(
    "(?:Description|Comments?|Explanation|Label|Notes|ProtocolName|RTImageName|ReasonsForProcedure|InstructionText)$"
)
"""Keywords of attributes in which people describe, whether the table lists them or not: Acquisition Protocol Name."""

NOWHERE = {
    0x0000: "no dataset holds it",
    0x0002: "File Meta Information is always written by sendit itself",
    0xFFFC: "it is always dropped",
}
"""Groups that no rule speaks of."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a %profile section; `str()` is its text."""

    action: Action
    field: str
    value: Value | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.action, self.field, str(self.value or ""))))

    def bound(self, file: str, line: int, column: int) -> BoundRule:
        """The rule that it is, told as what stands at `file`:`line`:`column`."""
        return BoundRule(
            Rule(self.action, self.field, self.value, line, column, file, of_profile=True), self._selector()
        )

    def _selector(self) -> Selector:
        tag = _tags().get(self.field)
        if tag is None:
            return _safe_fields().get(self.field) or parse_field(self.field)
        return Path((), Tag(tag)) if self.action is Action.ADD else Keyword(self.field)


@dataclass(frozen=True, slots=True)
class Clause:
    """Lines that belong together: what they speak of, and why."""

    about: str
    why: str
    lines: tuple[Line, ...]


@lru_cache(maxsize=32)
def clauses(profile: Profile) -> tuple[Clause, ...]:
    """What a profile comes to: kinds of elements and attributes by name. What is said of it in the file, is `said`."""
    return tuple(_clauses(profile))


def _clauses(profile: Profile) -> Iterator[Clause]:
    for about, lines in (*_kinds(profile), *_last_kinds()):
        yield Clause(about, "beyond the table", tuple(lines))
    for ruling in profile.rulings():
        if speaks_of(ruling.row):
            yield Clause(f"{ruling.row.written_tag} {ruling.row.name}", str(ruling), tuple(_attribute(ruling, profile)))
    yield Clause("short descriptions, comments and labels", "beyond the table", tuple(_short_descriptions(profile)))
    if profile.dates == MODIFIED_DATES:
        gone = tuple(Line(Action.REMOVE, keyword) for keyword in shared_values.BEYOND_THE_TABLE)
        yield Clause("a device's dates and counters, which are no patient's", "beyond the table", gone)
    for about, required in _required(profile):
        yield Clause(about, "beyond the table", tuple(required))
    if profile.has(SAFE_PRIVATE):
        kept = tuple(Line(Action.KEEP, safe.field) for safe in safe_private())
        yield Clause("private elements that are known to be safe", "beyond the table", kept)
    yield Clause(
        "how codes, content and graphics are to be read",
        "beyond the table",
        tuple(Line(Action.KEEP, keyword) for keyword in STRUCTURE),
    )
    yield Clause(
        "names of layers, to which graphics refer",
        "beyond the table",
        tuple(Line(Action.KEEP, keyword) for keyword in REFERRED_TO),
    )


def speaks_of(row: ProfileRow) -> bool:
    """Whether lines by the attribute's name are made of a row."""
    return row.is_one_attribute and row.number >> 16 not in NOWHERE


def text_of(profile: Profile, exceptions: tuple[Departure, ...]) -> str:
    """A %profile section that says what the PROFILE line says."""
    parts = [f"# PROFILE {profile}, PS3.15 Table E.1-1 {table().edition}", "", "%profile", ""]
    for clause in (*clauses(profile), said(profile, exceptions)):
        parts += [f"# {clause.about} ({clause.why})", *map(str, clause.lines), ""]
    return "\n".join(parts)


@cache
def _listed() -> frozenset[int]:
    """The tags of the table's rows that are of one attribute."""
    return frozenset(row.number for row in table().rows if row.is_one_attribute)


@cache
def _safe_fields() -> Mapping[str, Selector]:
    """What the fields of safe private elements mean: as `parse_field` says, but at once."""
    return {safe.field: PrivateTag(safe.group, safe.creator, safe.offset) for safe in safe_private()}


@cache
def _tags() -> Mapping[str, int]:
    return {entry[4]: tag for tag, entry in DicomDictionary.items() if entry[4]}


# ---------------------------------------------------------------------------------------------- an attribute's code


def _attribute(ruling: Ruling, profile: Profile) -> Iterator[Line]:
    """The lines of one row.

    X/Z/U* comes to U, whatever the Type: a reference that goes while Common Instance Reference (PS3.3 C.12.2) still
    lists it leaves an image that contradicts itself, and pseudonyms of UIDs say nothing.
    """
    tag = ruling.row.number
    written_vr, _, _, _, keyword = DicomDictionary[tag]
    vr = written_vr.partition(" or ")[0]
    if tag in PSEUDONYMS:
        yield Line(Action.REPLACE, keyword, PSEUDONYMS[tag])
        yield Line(Action.ADD, keyword, PSEUDONYMS[tag])
    elif ruling.code == "K":
        yield Line(Action.REPLACE, keyword, CAPPED_AGE) if vr == "AS" else Line(Action.KEEP, keyword)
    elif ruling.code == "X/Z/U*":
        yield Line(Action.KEEP, keyword)
    elif keyword in shared_values.DATES and profile.dates == MODIFIED_DATES:
        yield from _by_type(ruling.row.basic, tag, vr)
    elif ruling.source == MODIFIED_DATES and vr in ("DA", "DT"):
        yield Line(Action.JITTER, keyword, SHIFT)
    elif ruling.source == MODIFIED_DATES and vr == "TM":
        yield Line(Action.KEEP, keyword)  # whole days leave a time of day as it is
    elif ruling.code == "C" and ruling.source != MODIFIED_DATES and vr in TEXTS:
        yield from _where_a_value_is_required(ruling.row.basic, tag, vr)
        yield Line(Action.CLEAN, keyword, _text_shift(profile, keyword))
    else:
        yield from _by_type(ruling.row.basic if ruling.code == "C" else ruling.code, tag, vr)


def _by_type(code: str, tag: int, vr: str) -> Iterator[Line]:
    """X, Z, D, U or a conditional code; what its first action would leave invalid is excepted by Type."""
    keyword, found = DicomDictionary[tag][4], _types_of(tag)
    alternatives, conditional = code.split("/"), "/" in code
    first, values = alternatives[0], frozenset({"1", "1C"} if conditional else {"1"})
    presence = frozenset({"2", "2C"} if conditional else {"2"})
    if first in "DU":
        yield _dummy(keyword, tag, vr)
        return
    yield Line(Action.REMOVE if first == "X" else Action.BLANK, keyword)
    last = alternatives[-1] if conditional else ""
    if first == "X":
        wanted = presence & found | ({UNKNOWN} if last == "Z" else set())
        if wanted:
            empty = last == "D" and "Z" not in alternatives
            yield _dummy(_typed(wanted, keyword), tag, vr) if empty else Line(Action.BLANK, _typed(wanted, keyword))
    wanted = values & found | ({UNKNOWN} if last == "D" else set())
    if wanted:
        yield _dummy(_typed(wanted, keyword), tag, vr)


def _where_a_value_is_required(code: str, tag: int, vr: str) -> Iterator[Line]:
    """What stands there if cleaning leaves nothing."""
    keyword, found = DicomDictionary[tag][4], _types_of(tag)
    if vr == "SQ":
        return
    if code == "D":
        yield _dummy(keyword, tag, vr)
    elif wanted := found & {"1", "1C"} | ({UNKNOWN} if "D" in code else set()):
        yield _dummy(_typed(wanted, keyword), tag, vr)


def _dummy(field: str, tag: int, vr: str) -> Line:
    if tag in CODE_SEQUENCES:
        return Line(Action.REPLACE, field, DUMMY_CODE)
    if vr == "SQ":
        return Line(Action.REMOVE if tag in TREES else Action.KEEP, field)  # what is in its items has rules of its own
    if vr == "UI":
        return Line(Action.REPLACE, field, PSEUDONYM)
    return Line(Action.REPLACE, field, Value("literal", DUMMY_OFFSET.get(tag) or DUMMIES.get(vr, "REMOVED")))


def _typed(wanted: frozenset[str] | set[str], keyword: str) -> str:
    return f"type:{'|'.join(sorted(wanted))}:{keyword}"


@cache
def _found_types() -> Mapping[int, set[str]]:
    """The Types that each attribute has somewhere, 3 left out."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for root in types().roots.values():
        for tag, type_ in root.items():
            found[tag].add(type_)
    for (_, tag), type_ in types().items.items():
        found[tag].add(type_)
    return found


def _types_of(tag: int) -> frozenset[str]:
    return frozenset(_found_types().get(tag, ()))


# ---------------------------------------------------------------------------------------------- beyond the table


def _kinds(profile: Profile) -> Iterator[tuple[str, list[Line]]]:
    yield "names of people", [Line(Action.BLANK, "select:VR:PN")]
    yield "application entity titles", [Line(Action.REMOVE, "select:VR:AE")]
    if not profile.has(RETAIN_UIDS):
        yield "UIDs that are no class, syntax or vocabulary", [Line(Action.REPLACE, "select:VR:UI", PSEUDONYM)]
    capped = profile.has(PATIENT_CHARACTERISTICS)
    yield "ages", [Line(Action.REPLACE, "select:VR:AS", CAPPED_AGE) if capped else Line(Action.BLANK, "select:VR:AS")]
    if profile.dates == MODIFIED_DATES:
        yield "dates", [Line(Action.JITTER, f"select:VR:{vr}", SHIFT) for vr in ("DA", "DT")]
    elif profile.dates is None:
        yield "dates and times", [Line(Action.BLANK, f"select:VR:{vr}") for vr in ("DA", "DT", "TM")]
    yield "free text", [_free_text(f"select:VR:{vr}", profile) for vr in ("LT", "ST", "UT")]
    yield "addresses in the network", [Line(Action.BLANK, "select:VR:UR")]
    yield "a code that is a URN", [Line(Action.KEEP, "URNCodeValue")]


def _short_descriptions(profile: Profile) -> Iterator[Line]:
    """What describes, in a VR of short text: as the table's own descriptions; a dummy is valid whatever the Type."""
    for tag, (vr, _, _, retired, keyword) in sorted(DicomDictionary.items()):
        beyond = not retired and tag not in _listed() and tag >> 16 not in NOWHERE
        if beyond and vr in ("LO", "SH", "UC") and _DESCRIBES.search(keyword):
            yield from (_dummy(keyword, tag, vr), *_cleaned_also(keyword, _free_text(keyword, profile)))


def _cleaned_also(field: str, line: Line) -> Iterator[Line]:
    """A dummy stands only where cleaning leaves nothing."""
    if line.action is Action.CLEAN:
        yield Line(Action.CLEAN, field, line.value)


def _free_text(field: str, profile: Profile) -> Line:
    if profile.has(CLEAN_DESCRIPTORS):
        return Line(Action.CLEAN, field, _text_shift(profile, field))
    return Line(Action.BLANK, field)


def _text_shift(profile: Profile, keyword: str) -> Value | None:
    """What the dates in a text are shifted by; None where they are to go."""
    if profile.dates == MODIFIED_DATES and keyword in shared_values.TEXTS:
        return None
    return {MODIFIED_DATES: SHIFT, FULL_DATES: NO_SHIFT}.get(profile.dates or "")


def _last_kinds() -> Iterator[tuple[str, list[Line]]]:
    """These go before the kinds above: of several, the last rule counts."""
    yield (
        "ways to reach a person, other calendars",
        [Line(Action.REMOVE, "contains:Telephone|Telecom|Address|AlternativeCalendar")],
    )
    yield "attributes that PS3.6 has retired", [Line(Action.REMOVE, "select:retired:yes")]
    yield "attributes that PS3.6 does not have", [Line(Action.REMOVE, "select:unknown:yes")]
    yield "elements of unknown VR", [Line(Action.REMOVE, "select:VR:UN")]
    yield "curves", [Line(Action.REMOVE, r"startswith:\(50")]
    yield "overlays", [Line(Action.REMOVE, r"startswith:\(60")]
    yield "private elements", [Line(Action.REMOVE, "select:private:yes")]


def _required(profile: Profile) -> Iterator[tuple[str, Iterable[Line]]]:
    """Attributes that a rule for their kind would leave without a value that their IOD asks for."""
    emptied = {line.field[-2:]: line for _, lines in _kinds(profile) for line in lines if _may_empty(line)}
    for tag in sorted(_found_types().keys() - _listed()):
        vr, wanted = default_vr(tag), _types_of(tag) & {"1", "1C"}
        if wanted and vr in emptied and not DicomDictionary[tag][3] and DicomDictionary[tag][4] != "URNCodeValue":
            field = _typed(wanted, DicomDictionary[tag][4])
            yield DicomDictionary[tag][2], [_dummy(field, tag, vr), *_cleaned_also(field, emptied[vr])]


def _may_empty(line: Line) -> bool:
    return line.action in (Action.BLANK, Action.CLEAN) and line.field.startswith("select:VR:")


# ---------------------------------------------------------------------------------------------- what is said of it


def said(profile: Profile, exceptions: tuple[Departure, ...]) -> Clause:
    """What each output says of itself (PS3.15 E.1); the profile is claimed only where no rule departs from it."""
    return Clause("what was done", "PS3.15 E.1", tuple(_said(profile, exceptions)))


def _said(profile: Profile, exceptions: tuple[Departure, ...]) -> Iterator[Line]:
    yield Line(Action.ADD, "PatientIdentityRemoved", Value("literal", "YES"))
    edition = f"sendit, PS3.15 Table E.1-1 {table().edition}"
    if exceptions:
        yield Line(Action.ADD, "DeidentificationMethod", Value("literal", f"{edition}, with exceptions"))
        yield Line(Action.REMOVE, "DeidentificationMethodCodeSequence")
    else:
        methods = "\\".join((edition, *(code.meaning for code in profile.methods)))
        yield Line(Action.ADD, "DeidentificationMethod", Value("literal", methods))
        yield Line(Action.ADD, "DeidentificationMethodCodeSequence", Value("code", "".join(map(str, profile.methods))))
    yield Line(Action.ADD, "LongitudinalTemporalInformationModified", Value("literal", _dates_are(profile, exceptions)))


def _dates_are(profile: Profile, exceptions: tuple[Departure, ...]) -> str:
    """(0028,0303): UNMODIFIED where any date is left as it is."""
    left = {one.rule.action for one in exceptions if one.dates}
    if profile.dates == FULL_DATES or left - {Action.JITTER}:
        return "UNMODIFIED"
    return "MODIFIED" if profile.dates == MODIFIED_DATES or left else "REMOVED"
