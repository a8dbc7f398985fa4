"""Proof on the output's bytes: it re-reads, in order, and none of the patient's identifiers is in it.

What was proven of a run of elements, or said of it, is remembered: most of a study's bytes are the same in every image.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sendit.deid import values
from sendit.deid.elements import (
    CHUNK,
    DEPTH_LIMIT,
    IMPLICIT_LE,
    ITEM,
    PIXEL_DATA_TAGS,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    Source,
    effective_vr,
    elements_of,
    item_end,
    value_span,
)
from sendit.deid.identifiers import Identifier
from sendit.deid.residuals import MARGIN, Needle, may_stand_in, needles, occurs, plain, stands_in, suspects
from sendit.deid.rewrite import Bulk
from sendit.deid.values import DEFAULT_CHARSET, Charset
from sendit.errors import BrokenPromise, DataFault

MEMO_ENTRIES, MEMO_PIECE_BYTES, MEMO_BYTES = 8192, 32 * 1024, 16 * 1024 * 1024
SOP_CLASS_UID, SOP_INSTANCE_UID, CHARACTER_SET = 0x00080016, 0x00080018, 0x00080005


@dataclass(frozen=True, slots=True)
class Identity:
    """What the File Meta repeats of a dataset: the encoded SOP Class and SOP Instance UID, empty where absent."""

    sop_class_uid: bytes
    sop_instance_uid: bytes


Proven = tuple[int, int, bytes | None, bytes | None]
"""What was found in one run of elements: first and last tag, and the encoded SOP Class and SOP Instance UID."""


class Verifier:
    """Checks and describes the outputs of one patient-study.

    Parameters
    ----------
    residuals : sequence of Identifier
        What must not remain.
    """

    __slots__ = ("_described", "_described_bytes", "_needles", "_proven", "_proven_bytes")

    def __init__(self, residuals: Sequence[Identifier]) -> None:
        self._needles = needles(residuals)
        self._proven: dict[Encoding, dict[bytes, Proven]] = {}
        self._described: dict[tuple[bytes, Encoding, Charset], Described] = {}
        self._proven_bytes = self._described_bytes = 0

    # ------------------------------------------------------------------------------------------ proof

    def check(self, pieces: Sequence[bytes | Bulk], encoding: Encoding, source: Source) -> Identity:
        """Prove a dataset's pieces; what a Bulk is a range of is in `source`.

        Raises
        ------
        DataFault
            ResidualIdentifier, with the tag; BadSequence and others where a sequence that a KEEP holds is malformed.
        BrokenPromise
            OutputUnreadable.
        """
        known, last = self._proven.setdefault(encoding, {}), -1
        sop_class_uid = sop_instance_uid = b""
        for piece in pieces:
            if piece.__class__ is Bulk:
                first = tag = piece.tag
                if self._needles and tag not in PIXEL_DATA_TAGS:
                    self._search_bulk(piece, encoding, source)
            else:
                proven = known.get(piece)  # type: ignore[arg-type]
                if proven is None:
                    proven = self._prove(piece, encoding)  # type: ignore[arg-type]
                    self._remember(known, piece, proven)  # type: ignore[arg-type]
                first, tag, class_uid, instance_uid = proven
                if class_uid is not None:
                    sop_class_uid = class_uid
                if instance_uid is not None:
                    sop_instance_uid = instance_uid
            if first <= last:
                raise BrokenPromise("OutputUnreadable", tag=first)
            last = tag
        return Identity(sop_class_uid, sop_instance_uid)

    def _remember(self, known: dict[bytes, Proven], piece: bytes, proven: Proven) -> None:
        if len(piece) <= MEMO_PIECE_BYTES:
            self._proven_bytes += len(piece)
            if self._proven_bytes > MEMO_BYTES or len(known) >= MEMO_ENTRIES:
                known.clear()
                self._proven_bytes = len(piece)
            known[piece] = proven

    def _prove(self, piece: bytes, encoding: Encoding) -> Proven:
        suspected = suspects(self._needles, piece)
        first, last = -1, -1
        class_uid = instance_uid = None
        for tag, vr, written, begin, after in _elements(piece, encoding):
            if tag <= last:
                raise BrokenPromise("OutputUnreadable", tag=tag)
            if vr == "SQ":
                inner = IMPLICIT_LE if written == "UN" else encoding
                self._prove_items(piece, begin, after, inner, suspected, 1)
            elif suspected and tag not in PIXEL_DATA_TAGS:
                _search(piece[begin:after], tag, vr, suspected)
            if tag == SOP_CLASS_UID:
                class_uid = piece[begin:after]
            elif tag == SOP_INSTANCE_UID:
                instance_uid = piece[begin:after]
            first, last = (tag if first < 0 else first), tag
        return first, last, class_uid, instance_uid

    def _prove_items(
        self, buf: bytes, pos: int, end: int, encoding: Encoding, suspected: Sequence[Needle], depth: int
    ) -> None:
        """Prove a sequence's items; one that a recipe keeps as it is was not walked before."""
        if depth > DEPTH_LIMIT:
            raise DataFault("TooDeep")
        for item, item_after in _items(buf, pos, end, encoding, depth):
            for tag, vr, written, begin, after in elements_of(buf, item, item_after, encoding, depth):
                if tag >> 16 == 0xFFFE:
                    raise DataFault("BadSequence")
                if vr == "SQ":
                    inner = IMPLICIT_LE if written == "UN" else encoding
                    self._prove_items(buf, begin, after, inner, suspected, depth + 1)
                elif suspected:
                    _search(buf[begin:after], tag, vr, suspected)

    def _search_bulk(self, bulk: Bulk, encoding: Encoding, source: Source) -> None:
        """Look for identifiers in a value that is not held in memory, in overlapping windows."""
        vr = effective_vr(bulk.tag, "" if encoding.implicit else bulk.head[4:6].decode("latin-1"))
        wanted = [needle for needle in self._needles if may_stand_in(needle, vr)]
        overlap = 2 * MARGIN + max((len(needle.form) for needle in wanted), default=0)
        offset, end, held = bulk.offset, bulk.offset + bulk.length, b""
        while offset < end:
            chunk = source.read(offset, min(CHUNK, end - offset))
            if not chunk:
                raise DataFault("Truncated", tag=bulk.tag)
            window, offset = held + chunk, offset + len(chunk)
            text = plain(window)
            begin, stop = MARGIN if held else 0, len(text) - (MARGIN if offset < end else 0)
            if any(occurs(needle, text, begin, stop) for needle in wanted):
                raise DataFault("ResidualIdentifier", tag=bulk.tag)
            held = window[-overlap:]

    # ------------------------------------------------------------------------------------------ description

    def instance(self, pieces: Sequence[bytes | Bulk], encoding: Encoding, syntax_uid: str) -> Instance:
        """What a dataset's pieces say, for the warehouse."""
        encodings: Charset = DEFAULT_CHARSET
        parts: list[str] = []
        wanted: dict[int, str] = {}
        for piece in pieces:
            if not isinstance(piece, bytes):
                vr = effective_vr(piece.tag, "" if encoding.implicit else piece.head[4:6].decode("latin-1"))
                parts.append(f'"{piece.tag:08X}":{{"vr":"{vr}"}}')
                continue
            described = self._described.get((piece, encoding, encodings))
            if described is None:
                described = describe(piece, encoding, encodings)
                if len(piece) <= MEMO_PIECE_BYTES:
                    self._described_bytes += len(piece) + len(described.json)
                    if self._described_bytes > MEMO_BYTES or len(self._described) >= MEMO_ENTRIES:
                        self._described.clear()
                        self._described_bytes = len(piece) + len(described.json)
                    self._described[piece, encoding, encodings] = described
            encodings = described.encodings
            if described.json:
                parts.append(described.json)
            wanted.update(described.wanted)
        return Instance.of(wanted, syntax_uid, tuple(parts))


def _search(value: bytes, tag: int, vr: str, suspected: Iterable[Needle]) -> None:
    if any(stands_in(needle, value, tag, vr) for needle in suspected):
        raise DataFault("ResidualIdentifier", tag=tag)


def _elements(piece: bytes, encoding: Encoding) -> Iterator[tuple[int, str, str, int, int]]:
    """As `elements_of`, for an output, which may not be malformed."""
    try:
        yield from elements_of(piece, 0, len(piece), encoding)
    except DataFault as fault:
        raise BrokenPromise("OutputUnreadable", tag=fault.tag) from None


# ---------------------------------------------------------------------------------------------- instance


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


# ---------------------------------------------------------------------------------------------- DICOM JSON


@dataclass(frozen=True, slots=True)
class Described:
    """One run of elements as members of a DICOM JSON object, the wanted values, and the character set behind it."""

    json: str
    wanted: tuple[tuple[int, str], ...]
    encodings: Charset


def describe(piece: bytes, encoding: Encoding, encodings: Charset) -> Described:
    """The DICOM JSON of a run of elements."""
    members, wanted = [], []
    for tag, vr, written, begin, after in _elements(piece, encoding):
        raw = piece[begin:after]
        if tag == CHARACTER_SET:
            encodings = values.charset(raw)
        member = _member(tag, vr, written, raw, encoding, encodings)
        members.append(f'"{tag:08X}":{json.dumps(member, ensure_ascii=False, separators=(",", ":"))}')
        if tag in _WANTED_TAGS:
            found = values.read_values(raw, vr, encoding.order, encodings)
            wanted.append((tag, str(found[0]) if found else ""))
    return Described(",".join(members), tuple(wanted), encodings)


def _member(
    tag: int, vr: str, written_vr: str, raw: bytes, encoding: Encoding, encodings: Charset
) -> dict[str, object]:
    member: dict[str, object] = {"vr": vr}
    if vr == "SQ":
        inner = IMPLICIT_LE if written_vr == "UN" else encoding
        items = [_item_json(raw, item, inner, encodings) for item in _items(raw, 0, len(raw), inner, 0)]
        return member | ({"Value": items} if items else {})
    if vr in values.BYTES_VRS or tag in PIXEL_DATA_TAGS:
        return member
    found = [_json_value(vr, value) for value in values.read_values(raw, vr, encoding.order, encodings)]
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


def _items(buf: bytes, pos: int, end: int, encoding: Encoding, depth: int) -> Iterator[tuple[int, int]]:
    """Where the items of a sequence's value begin and end, delimiters left out."""
    while pos < end:
        tag, _, begin, size = value_span(buf, pos, end, encoding)
        if tag == SEQUENCE_END:
            return
        if tag != ITEM:
            raise DataFault("BadSequence")
        after = begin + size if size != UNDEFINED else item_end(buf, begin, end, encoding, depth)
        yield begin, after - 8 if size == UNDEFINED else after
        pos = after


def _item_json(raw: bytes, span: tuple[int, int], encoding: Encoding, encodings: Charset) -> object:
    return json.loads("{" + describe(raw[slice(*span)], encoding, encodings).json + "}")
