"""Proof on the output's bytes: it re-reads, in order, and none of the patient's identifiers is in it.

What was proven of a run of elements, or said of it, is remembered: most of a study's bytes are the same in every image.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sendit.deid import values
from sendit.deid.elements import (
    IMPLICIT_LE,
    ITEM,
    PIXEL_DATA_TAGS,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    effective_vr,
    elements_of,
    item_end,
    value_span,
)
from sendit.deid.identifiers import Identifier
from sendit.deid.rewrite import Bulk
from sendit.deid.values import DEFAULT_CHARSET, Charset
from sendit.errors import BrokenPromise, DataFault

MEMO_ENTRIES, MEMO_PIECE_BYTES = 8192, 32 * 1024
SOP_CLASS_UID, SOP_INSTANCE_UID, CHARACTER_SET = 0x00080016, 0x00080018, 0x00080005

_UNSEARCHED_VRS = frozenset({"AS", "AT", "CS", "DS", "FD", "FL", "IS", "SL", "SS", "SV", "TM", "UL", "US", "UV"})
"""Numbers, times and defined terms: no identifier of a person is told from an ordinary value in them."""
_DATE_VRS = frozenset({"DA", "DT"})


@dataclass(frozen=True, slots=True)
class Identity:
    """What the File Meta repeats of a dataset: the encoded SOP Class and SOP Instance UID, empty where absent."""

    sop_class_uid: bytes
    sop_instance_uid: bytes


Proven = tuple[int, int, bytes | None, bytes | None]
"""What was found in one run of elements: first and last tag, and the encoded SOP Class and SOP Instance UID."""


@dataclass(frozen=True, slots=True)
class Needle:
    """The lower-case bytes of an identifier in one encoding; `bounded` asks for no letter or digit on either side."""

    form: bytes
    kind: str
    bounded: bool


def needles(identifiers: Iterable[Identifier]) -> tuple[Needle, ...]:
    """The byte forms that identifiers may take, in every encoding that an output may be in."""
    found: dict[Needle, None] = {}
    for identifier in identifiers:
        for text in _spellings(identifier):
            for encoding in _ENCODINGS_ASCII if text.isascii() else _ENCODINGS:
                try:
                    form = text.encode(encoding)
                except UnicodeEncodeError:
                    continue
                form = re.sub(rb"\x1b[\x24\x28\x29\x2d\x2e][\x20-\x7e]", b"", form).lower()
                found[Needle(form, identifier.kind, text.isascii() and encoding == "ascii")] = None
    return tuple(found)


_ENCODINGS_ASCII = ("ascii", "utf-16-le", "utf-16-be")
_ENCODINGS = (
    "utf-8", "latin-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8",
    "iso8859-9", "iso8859-11", "shift_jis", "iso2022_jp_2", "euc_kr", "gb18030", "utf-16-le", "utf-16-be",
)  # fmt: skip


def _spellings(identifier: Identifier) -> list[str]:
    text = identifier.text.strip()
    if identifier.kind == "id":
        return list(dict.fromkeys((text, text.replace("-", ""))))
    return list(dict.fromkeys((text, text.lower(), text.upper(), text.title())))


class Verifier:
    """Checks and describes the outputs of one patient-study.

    Parameters
    ----------
    residuals : sequence of Identifier
        What must not remain.
    """

    __slots__ = ("_described", "_needles", "_proven")

    def __init__(self, residuals: Sequence[Identifier]) -> None:
        self._needles = needles(residuals)
        self._proven: dict[Encoding, dict[bytes, Proven]] = {}
        self._described: dict[tuple[bytes, Encoding, Charset], Described] = {}

    # ------------------------------------------------------------------------------------------ proof

    def check(self, pieces: Sequence[bytes | Bulk], encoding: Encoding) -> Identity:
        """Prove a dataset's pieces.

        Raises
        ------
        DataFault
            ResidualIdentifier, with the tag.
        BrokenPromise
            OutputUnreadable.
        """
        known, last = self._proven.setdefault(encoding, {}), -1
        sop_class_uid = sop_instance_uid = b""
        for piece in pieces:
            if piece.__class__ is Bulk:
                first = tag = piece.tag
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
            if len(known) >= MEMO_ENTRIES:
                known.clear()
            known[piece] = proven

    def _prove(self, piece: bytes, encoding: Encoding) -> Proven:
        lowered = piece.lower()
        suspects = [needle for needle in self._needles if needle.form in lowered]
        first, last = -1, -1
        class_uid = instance_uid = None
        for tag, vr, _, begin, after in _elements(piece, encoding):
            if tag <= last:
                raise BrokenPromise("OutputUnreadable", tag=tag)
            if suspects:
                self._search(piece[begin:after], tag, vr, suspects)
            if tag == SOP_CLASS_UID:
                class_uid = piece[begin:after]
            elif tag == SOP_INSTANCE_UID:
                instance_uid = piece[begin:after]
            first, last = (tag if first < 0 else first), tag
        return first, last, class_uid, instance_uid

    def _search(self, value: bytes, tag: int, vr: str, suspects: Iterable[Needle]) -> None:
        if vr in _UNSEARCHED_VRS:
            return
        lowered = value.lower()
        for needle in suspects:
            if vr in _DATE_VRS and needle.kind != "date":
                continue
            if _occurs(needle, lowered):
                raise DataFault("ResidualIdentifier", tag=tag)

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
                    if len(self._described) >= MEMO_ENTRIES:
                        self._described.clear()
                    self._described[piece, encoding, encodings] = described
            encodings = described.encodings
            if described.json:
                parts.append(described.json)
            wanted.update(described.wanted)
        return Instance.of(wanted, syntax_uid, "{" + ",".join(parts) + "}")


def _elements(piece: bytes, encoding: Encoding) -> Iterator[tuple[int, str, str, int, int]]:
    """As `elements_of`, for an output, which may not be malformed."""
    try:
        yield from elements_of(piece, 0, len(piece), encoding)
    except DataFault as fault:
        raise BrokenPromise("OutputUnreadable", tag=fault.tag) from None


def _occurs(needle: Needle, lowered: bytes) -> bool:
    at = lowered.find(needle.form)
    while at >= 0:
        if not needle.bounded:
            return True
        before, after = lowered[at - 1 : at] if at else b"", lowered[at + len(needle.form) :][:1]
        if not before.isalnum() and not after.isalnum():
            return True
        at = lowered.find(needle.form, at + 1)
    return False


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

    `header_json` is the header as DICOM JSON (PS3.18 Annex F), without bulk data.
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
    header_json: str = field(default="{}", repr=False)

    @classmethod
    def of(cls, wanted: dict[int, str], syntax_uid: str, header_json: str) -> Instance:
        """An instance of values by tag."""
        texts = {name: wanted.get(tag, "") for name, tag in WANTED.items() if name not in _NUMBER_FIELDS}
        numbers = {name: _whole(wanted.get(WANTED[name], "")) for name in _NUMBER_FIELDS}
        return cls(transfer_syntax_uid=syntax_uid, header_json=header_json, **texts, **numbers)  # type: ignore[arg-type]


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
        items = [_item_json(raw, item, inner, encodings) for item in _items(raw, inner)]
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


def _items(raw: bytes, encoding: Encoding) -> list[tuple[int, int]]:
    """Where the items of a sequence's value begin and end, delimiters left out."""
    spans, pos, end = [], 0, len(raw)
    while pos < end:
        tag, _, begin, size = value_span(raw, pos, end, encoding)
        if tag == SEQUENCE_END:
            break
        if tag != ITEM:
            raise BrokenPromise("OutputUnreadable", tag=tag)
        after = begin + size if size != UNDEFINED else item_end(raw, begin, end, encoding, 0)
        spans.append((begin, after - 8 if size == UNDEFINED else after))
        pos = after
    return spans


def _item_json(raw: bytes, span: tuple[int, int], encoding: Encoding, encodings: Charset) -> object:
    return json.loads("{" + describe(raw[slice(*span)], encoding, encodings).json + "}")
