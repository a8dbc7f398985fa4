"""What an output says of itself, for the warehouse: the attributes of an Instance, and the header as DICOM JSON.

What was said of a run of elements is remembered: most of a study's bytes are the same in every image.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from sendit.deid import values
from sendit.deid.elements import IMPLICIT_LE, PIXEL_DATA_TAGS, Encoding, effective_vr, elements_of
from sendit.deid.items import visit_sequence
from sendit.deid.rewrite import Bulk
from sendit.deid.values import DEFAULT_CHARSET, Charset

MEMO_ENTRIES, MEMO_PIECE_BYTES, MEMO_BYTES = 8192, 32 * 1024, 16 * 1024 * 1024
CHARACTER_SET = 0x00080005

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
_WANTED_TAGS = frozenset(WANTED.values())
_NUMBER_FIELDS = frozenset({"series_number", "instance_number", "rows", "columns", "number_of_frames"})


@dataclass(frozen=True, slots=True)
class Instance:
    """What an output says of itself; texts are "" and numbers None where it says nothing.

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
    header_parts: tuple[str, ...] = field(default=(), repr=False)

    @property
    def header_json(self) -> str:
        """The header as DICOM JSON."""
        return "{" + ",".join(self.header_parts) + "}"

    @classmethod
    def of(cls, wanted: dict[int, str], syntax_uid: str, header_parts: tuple[str, ...]) -> Instance:
        """An instance of values by tag."""
        texts = {name: wanted.get(tag, "") for name, tag in WANTED.items() if name not in _NUMBER_FIELDS}
        numbers = {name: _whole(wanted.get(WANTED[name], "")) for name in _NUMBER_FIELDS}
        return cls(transfer_syntax_uid=syntax_uid, header_parts=header_parts, **texts, **numbers)  # type: ignore[arg-type]


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Described:
    """One run of elements as members of a DICOM JSON object, the wanted values, and the character set behind it."""

    json: str
    wanted: tuple[tuple[int, str], ...]
    encodings: Charset


class Describer:
    """Describes the outputs of one patient-study."""

    __slots__ = ("_bytes", "_known")

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, Encoding, Charset], Described] = {}
        self._bytes = 0

    def instance(self, pieces: Sequence[bytes | Bulk], encoding: Encoding, syntax_uid: str) -> Instance:
        """What the proven pieces of a dataset say."""
        encodings: Charset = DEFAULT_CHARSET
        parts: list[str] = []
        wanted: dict[int, str] = {}
        for piece in pieces:
            if not isinstance(piece, bytes):
                vr = effective_vr(piece.tag, "" if encoding.implicit else piece.head[4:6].decode("latin-1"))
                parts.append(f'"{piece.tag:08X}":{{"vr":"{vr}"}}')
                continue
            described = self._known.get((piece, encoding, encodings))
            if described is None:
                described = describe(piece, encoding, encodings)
                self._remember(piece, encoding, encodings, described)
            encodings = described.encodings
            if described.json:
                parts.append(described.json)
            wanted.update(described.wanted)
        return Instance.of(wanted, syntax_uid, tuple(parts))

    def _remember(self, piece: bytes, encoding: Encoding, encodings: Charset, described: Described) -> None:
        if len(piece) > MEMO_PIECE_BYTES:
            return
        size = len(piece) + len(described.json)
        self._bytes += size
        if self._bytes > MEMO_BYTES or len(self._known) >= MEMO_ENTRIES:
            self._known.clear()
            self._bytes = size
        self._known[piece, encoding, encodings] = described


# ---------------------------------------------------------------------------------------------- DICOM JSON


def describe(piece: bytes, encoding: Encoding, encodings: Charset) -> Described:
    """The DICOM JSON (PS3.18 Annex F) of a run of elements, without bulk data."""
    text = _JsonText(encodings)
    wanted: list[tuple[int, str]] = []
    for tag, vr, written, begin, after in elements_of(piece, 0, len(piece), encoding):
        if vr == "SQ":
            text.enter_sequence()
            visit_sequence(piece, begin, after, IMPLICIT_LE if written == "UN" else encoding, text)
            text.leave_sequence(tag)
            continue
        raw = piece[begin:after]
        text.element(tag, vr, raw, encoding)
        if tag in _WANTED_TAGS:
            found = values.read_values(raw, vr, encoding.order, text.encodings)
            wanted.append((tag, str(found[0]) if found else ""))
    return Described(text.members(), tuple(wanted), text.encodings)


class _JsonText:
    """Builds the text as items, sequences and elements come by; a Visitor."""

    __slots__ = ("_open", "_outer", "encodings")

    def __init__(self, encodings: Charset) -> None:
        self.encodings = encodings
        self._open: list[list[str]] = [[]]
        self._outer: list[Charset] = []

    def members(self) -> str:
        """The members of the root."""
        return ",".join(self._open[0])

    def enter_item(self) -> None:
        self._open.append([])
        self._outer.append(self.encodings)

    def leave_item(self) -> None:
        self.encodings = self._outer.pop()
        members = self._open.pop()
        self._open[-1].append("{" + ",".join(members) + "}")

    def enter_sequence(self) -> None:
        self._open.append([])

    def leave_sequence(self, tag: int) -> None:
        items = self._open.pop()
        value = f',"Value":[{",".join(items)}]' if items else ""
        self._open[-1].append(f'"{tag:08X}":{{"vr":"SQ"{value}}}')

    def element(self, tag: int, vr: str, raw: bytes, encoding: Encoding) -> None:
        if tag == CHARACTER_SET:
            self.encodings = values.charset(raw)
        member = _member(tag, vr, raw, encoding.order, self.encodings)
        self._open[-1].append(f'"{tag:08X}":{json.dumps(member, ensure_ascii=False, separators=(",", ":"))}')


def _member(tag: int, vr: str, raw: bytes, order: str, encodings: Charset) -> dict[str, object]:
    member: dict[str, object] = {"vr": vr}
    if vr in values.BYTES_VRS or tag in PIXEL_DATA_TAGS:
        return member
    found = [_json_value(vr, value) for value in values.read_values(raw, vr, order, encodings)]
    return member | ({"Value": found} if any(value is not None for value in found) else {})


def _json_value(vr: str, value: object) -> object:
    if vr == "PN":
        groups = zip(("Alphabetic", "Ideographic", "Phonetic"), str(value).split("="), strict=False)
        return {name: group for name, group in groups if group} or None
    if vr in ("IS", "DS"):
        return _number(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value != "" else None


def _number(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else text
