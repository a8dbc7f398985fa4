"""What an output says of itself, for the warehouse: the attributes of an Instance, and the header as DICOM JSON.

What was said of a run of elements is remembered: most of a study's bytes are the same in every image.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from pydicom.datadict import tag_for_keyword

from sendit.deid.stream import values
from sendit.deid.stream.elements import elements
from sendit.deid.stream.encodings import Encoding
from sendit.deid.stream.heads import DEEP, FLAT
from sendit.deid.stream.sources import Bulk
from sendit.deid.stream.tags import ITEM, ITEM_END, PIXEL_DATA_TAGS, effective_vr, known_vrs
from sendit.deid.stream.values import DEFAULT_CHARSET, Charset

MEMO_ENTRIES, MEMO_PIECE_BYTES, MEMO_BYTES = 8192, 32 * 1024, 16 * 1024 * 1024
LONG_BYTES = 4 * 1024 * 1024
"""An element that is longer is described by its tag and VR alone, as bulk data is: functional groups of 5,000 frames
have a text of some 8 MB, and no warehouse takes rows of any size."""
MANY = 16
_PLAIN_NUMBERS = re.compile(rb" *[+-]?\d{1,20}(?:\.\d{0,20})? *(?:\\ *[+-]?\d{1,20}(?:\.\d{0,20})? *)*[ \0]*")
CHARACTER_SET, PIXEL_REPRESENTATION = 0x00080005, 0x00280103

WANTED = {
    "sop_class_uid": 0x00080016,
    "sop_instance_uid": 0x00080018,
    "study_instance_uid": 0x0020000D,
    "series_instance_uid": 0x0020000E,
    "modality": 0x00080060,
    "series_number": 0x00200011,
    "instance_number": 0x00200013,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "number_of_frames": 0x00280008,
    "study_date": 0x00080020,
    "patient_sex": 0x00100040,
    "patient_age": 0x00101010,
    "study_description": 0x00081030,
    "series_description": 0x0008103E,
}
"""The attributes that an Instance names, by field."""
_FIELDS = {tag: name for name, tag in WANTED.items()}
# fmt: off
ATTRIBUTES = (
    "SeriesDescription", "SeriesDate", "AcquisitionNumber", "ImageType", "BodyPartExamined", "Laterality",
    "ViewPosition", "PatientPosition", "ProtocolName", "ContrastBolusAgent", "Manufacturer", "ManufacturerModelName",
    "MagneticFieldStrength", "RepetitionTime", "EchoTime", "FlipAngle", "KVP", "ConvolutionKernel", "SliceThickness",
    "SpacingBetweenSlices", "SliceLocation", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
    "PhotometricInterpretation", "BitsStored",
)
# fmt: on
"""The keywords of further attributes that an Instance has, from the root or from the Shared Functional Groups."""
_ATTRIBUTES = {tag: keyword for keyword in ATTRIBUTES if (tag := tag_for_keyword(keyword)) is not None}
SHARED_FUNCTIONAL_GROUPS = 0x52009229
_NUMBER_FIELDS = frozenset({"series_number", "instance_number", "rows", "columns", "number_of_frames"})


@dataclass(frozen=True, slots=True)
class Instance:
    """What an output says of itself; texts are "" and numbers None where it says nothing.

    `attributes` are the values of `ATTRIBUTES` that it has, by keyword.
    `header_parts` are runs of the header's members as DICOM JSON (PS3.18 Annex F), without bulk data, in order; the
    images of a study have most of them in common.
    """

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    transfer_syntax_uid: str = ""
    modality: str = ""
    series_number: int | None = None
    instance_number: int | None = None
    rows: int | None = None
    columns: int | None = None
    number_of_frames: int | None = None
    study_date: str = ""
    patient_sex: str = ""
    patient_age: str = ""
    study_description: str = ""
    series_description: str = ""
    attributes: Mapping[str, tuple[object, ...]] = field(default_factory=dict, repr=False)
    header_parts: tuple[str, ...] = field(default=(), repr=False)

    @property
    def header_json(self) -> str:
        """The header as DICOM JSON."""
        return "{" + ",".join(self.header_parts) + "}"


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


class Reading(NamedTuple):
    """How values are read: the character set, and whether what PS3.6 calls "US or SS" is signed (PS3.5 6.2)."""

    encodings: Charset = DEFAULT_CHARSET
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """One run of elements as members of a DICOM JSON object, what of it an Instance has, and how to read on."""

    json: str
    wanted: dict[str, Any]
    attributes: dict[str, tuple[object, ...]]
    shared: dict[str, tuple[object, ...]]
    reading: Reading


class Describer:
    """Describes the outputs of one patient-study."""

    __slots__ = ("_bytes", "_entries", "_known")

    def __init__(self) -> None:
        self._known: dict[tuple[Encoding, Reading], dict[bytes, Described]] = {}
        self._entries = self._bytes = 0

    def instance(self, pieces: Sequence[bytes | Bulk], encoding: Encoding, syntax_uid: str) -> Instance:
        """What the proven pieces of a dataset say."""
        reading = Reading()
        known = self._known.setdefault((encoding, reading), {})
        parts: list[str] = []
        wanted: dict[str, Any] = {}
        attributes: dict[str, tuple[object, ...]] = {}
        shared: dict[str, tuple[object, ...]] = {}
        for piece in pieces:
            if not isinstance(piece, bytes):
                vr = effective_vr(piece.tag, "" if encoding.implicit else piece.head[4:6].decode("latin-1"))
                parts.append(f'"{piece.tag:08X}":{{"vr":"{vr}"}}')
                continue
            described = known.get(piece)
            if described is None:
                described = describe(piece, encoding, reading)
                self._remember(known, piece, described)
            if described.reading != reading:
                reading = described.reading
                known = self._known.setdefault((encoding, reading), {})
            if described.json:
                parts.append(described.json)
            wanted.update(described.wanted)
            attributes.update(described.attributes)
            shared.update(described.shared)
        attributes = shared | attributes
        return Instance(transfer_syntax_uid=syntax_uid, attributes=attributes, header_parts=tuple(parts), **wanted)

    def _remember(self, known: dict[bytes, Described], piece: bytes, described: Described) -> None:
        size = len(piece) + len(described.json)
        if len(piece) > MEMO_PIECE_BYTES:
            return
        if self._bytes + size > MEMO_BYTES or self._entries >= MEMO_ENTRIES:
            for each in self._known.values():
                each.clear()
            self._entries = self._bytes = 0
        self._entries, self._bytes = self._entries + 1, self._bytes + size
        known[piece] = described


# ---------------------------------------------------------------------------------------------- DICOM JSON


def describe(piece: bytes, encoding: Encoding, reading: Reading) -> Described:
    """The DICOM JSON (PS3.18 Annex F) of a run of elements, without bulk data and without what long elements hold."""
    return (_describe if len(piece) <= LONG_BYTES else _describe_long)(piece, encoding, reading)


def _describe_long(piece: bytes, encoding: Encoding, reading: Reading) -> Described:
    parts: list[Described] = []
    at = 0
    for tag, vr, _, start, _, end, _ in elements(piece, 0, len(piece), FLAT[encoding]):
        if end - start > LONG_BYTES:
            before = _describe(piece[at:start], encoding, parts[-1].reading if parts else reading)
            parts += [before, Described(f'"{tag:08X}":{{"vr":"{vr}"}}', {}, {}, {}, before.reading)]
            at = end
    parts.append(_describe(piece[at:], encoding, parts[-1].reading if parts else reading))
    return Described(
        ",".join(part.json for part in parts if part.json),
        {name: value for part in parts for name, value in part.wanted.items()},
        {name: value for part in parts for name, value in part.attributes.items()},
        {name: value for part in parts for name, value in part.shared.items()},
        parts[-1].reading,
    )


def _describe(piece: bytes, encoding: Encoding, reading: Reading) -> Described:
    text = _JsonText(reading)
    wanted: dict[str, Any] = {}
    attributes: dict[str, tuple[object, ...]] = {}
    shared: dict[str, tuple[object, ...]] = {}
    for tag, vr, _, _, begin, end, inner in elements(piece, 0, len(piece), DEEP[encoding]):
        if not vr:
            text.mark(tag)
        elif end < 0:
            text.enter_sequence(tag)
        else:
            raw = piece[begin:end]
            text.element(tag, vr, raw, inner)
            if tag in _FIELDS and text.is_at_root:
                field = _FIELDS[tag]
                found = values.read_values(raw, vr, encoding.order, text.reading.encodings)
                word = str(found[0]) if found else ""
                wanted[field] = _whole(word) if field in _NUMBER_FIELDS else word
            if tag in _ATTRIBUTES and (text.is_at_root or text.is_shared):
                found = values.read_values(raw, vr, encoding.order, text.reading.encodings)
                if found:
                    (attributes if text.is_at_root else shared)[_ATTRIBUTES[tag]] = found
    return Described(text.members(), wanted, attributes, shared, text.reading)


class _JsonText:
    """Builds the text as items, sequences and elements come by."""

    __slots__ = ("_open", "_outer", "_sequences", "reading")

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._open: list[list[str]] = [[]]
        self._outer: list[Reading] = []
        self._sequences: list[int] = []

    @property
    def is_at_root(self) -> bool:
        return not self._sequences

    @property
    def is_shared(self) -> bool:
        """Whether the element is said of all frames."""
        return self._sequences[0] == SHARED_FUNCTIONAL_GROUPS

    def members(self) -> str:
        """The members of the root."""
        return ",".join(self._open[0])

    def enter_sequence(self, tag: int) -> None:
        self._open.append([])
        self._sequences.append(tag)

    def mark(self, tag: int) -> None:
        """Enter an item, or leave an item or a sequence."""
        if tag == ITEM:
            self._open.append([])
            self._outer.append(self.reading)
        elif tag == ITEM_END:
            self.reading = self._outer.pop()
            members = self._open.pop()
            self._open[-1].append("{" + ",".join(members) + "}")
        else:
            self._leave_sequence(self._sequences.pop())

    def _leave_sequence(self, tag: int) -> None:
        items = self._open.pop()
        value = f',"Value":[{",".join(items)}]' if items else ""
        self._open[-1].append(f'"{tag:08X}":{{"vr":"SQ"{value}}}')

    def element(self, tag: int, vr: str, raw: bytes, encoding: Encoding) -> None:
        if tag == CHARACTER_SET:
            self.reading = self.reading._replace(encodings=values.charset(raw))
        elif tag == PIXEL_REPRESENTATION and encoding.implicit:
            self.reading = self.reading._replace(is_signed=raw[:1] == b"\1")
        elif vr == "US" and self.reading.is_signed and _may_be_signed(tag):
            vr = "SS"
        value = _values(tag, vr, raw, encoding.order, self.reading.encodings)
        self._open[-1].append(f'"{tag:08X}":{{"vr":"{vr}"{value}}}')


@lru_cache(maxsize=4096)
def _may_be_signed(tag: int) -> bool:
    return known_vrs(tag)[:2] == ("US", "SS")


def _values(tag: int, vr: str, raw: bytes, order: str, encodings: Charset) -> str:
    """The member `Value`, a comma before it; nothing where there is no value, or where it is bulk data."""
    if vr in values.BYTES_VRS or tag in PIXEL_DATA_TAGS:
        return ""
    read = values.read_values(raw, vr, order, encodings)
    if len(read) >= MANY and vr in ("IS", "DS") and _PLAIN_NUMBERS.fullmatch(raw):
        return f',"Value":[{_json_numbers(read)}]'
    found = [_json_value(vr, value) for value in read]
    return f',"Value":[{",".join(found)}]' if any(value != "null" for value in found) else ""


def _json_numbers(texts: Sequence[object]) -> str:
    """Many numbers as `_json_value` writes them, much faster: contours and curves have tens of thousands."""
    return ",".join([repr(float(text)) if "." in text else str(int(text)) for text in texts])  # type: ignore[arg-type, operator, call-overload]


def _json_value(vr: str, value: object) -> str:
    """One value as JSON text; put together here, for `json.dumps` makes an encoder each time."""
    if vr == "PN":
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), str(value).split("="), strict=False)
        members = ",".join(f'"{name}":{encode_basestring(group)}' for name, group in groups if group)
        return f"{{{members}}}" if members else "null"
    if vr in ("IS", "DS"):
        value = _number(str(value))
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'"{value}"'
    if isinstance(value, int):
        return str(value)
    return encode_basestring(str(value)) if value else "null"


def _number(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return ""
    return number if math.isfinite(number) else text
