"""Siemens CSA headers, (0029,xx10) and (0029,xx20): read within strict bounds, and replaced by a
header that holds only numbers.

Why is in docs/decisions/0017. Knows bytes; neither elements nor recipes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from sendit.deid.vendors.number_forms import NumberForm, form_of
from sendit.deid.vendors.protocols import asc_conv

MAGIC = b"SV10\x04\x03\x02\x01"
"""How a CSA2 header begins; a CSA1 header has nothing of the kind."""
MOST_FIELDS, MOST_ITEMS = 512, 16 * 1024
MARKS = (77, 205)
"""One of these closes the head of each field."""

_COUNT, _FIELD, _ITEM = struct.Struct("<2I"), struct.Struct("<64si4s3i"), struct.Struct("<4I")
_NITEMS = struct.Struct("<2i")
_SIZE, _FIVE_SIZES = struct.Struct("<4xI8x"), struct.Struct("<" + 5 * "4xI8x")
_PROTOCOLS = ("MrPhoenixProtocol", "MrProtocol")
_SYNGO_TYPES = {"DS": 3, "FD": 4, "FL": 5, "IS": 6, "SL": 7, "SS": 8, "UL": 9, "US": 10, "CS": 16, "LO": 19, "SH": 22}
_SYNGO_TYPES |= {"UN": 0}

FIELDS_FILE = Path(__file__).with_suffix(".tsv")

RELATIVE_MILLISECONDS = 600_000.0
"""No volume takes longer: acquisition times beyond are times of day, of which only the differences are kept."""

GEOMETRY = ("SliceNormalVector", "NumberOfImagesInMosaic")
"""The fields without which a mosaic's slices cannot be put in their places."""


class NotCsa(ValueError):
    """The bytes are no CSA header, or one that breaks its bounds."""


@dataclass(frozen=True, slots=True)
class CsaField:
    """A field that may be kept: its VR, how many values it has at most, and the form of each."""

    name: str
    vr: str
    most: int
    form: NumberForm
    source: str


def read_fields(text: str) -> Mapping[str, CsaField]:
    """The rows from the text of their file: comments and a heading, then tab-separated columns."""
    rows = (line.split("\t") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {
        name: CsaField(name, vr, int(most), form_of(form), source)
        for name, vr, most, form, source in rows
        if name != "name"
    }


@cache
def csa_fields() -> Mapping[str, CsaField]:
    """The fields that are kept."""
    return read_fields(FIELDS_FILE.read_text("utf-8"))


@cache
def _wanted() -> Mapping[bytes, str]:
    return {name.encode("ascii"): name for name in (*csa_fields(), *_PROTOCOLS)}


Kept = tuple[str, str, int, tuple[bytes, ...]]
"""What is written of a field: its name, VR, multiplicity and values."""


class ReadField(NamedTuple):
    """A field as it was read.

    `size` is its bytes with all items, `encoded` these bytes, None where the header ends within the padding of the last
    item. `name` is "" for a field that may not be kept.
    """

    encoded: bytes | None
    size: int
    items: int
    name: str = ""
    values: tuple[bytes, ...] = ()
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class CsaHeader:
    """A header's fields in their order."""

    is_csa2: bool
    fields: Sequence[ReadField] = ()

    @property
    def values(self) -> Mapping[str, tuple[bytes, ...]]:
        """The values of the fields that may be kept, as they are written."""
        return {field.name: field.values for field in self.fields if field.name}


# ---------------------------------------------------------------------------------------------- reading


def read_csa(untrusted: bytes, before: Sequence[ReadField] = ()) -> CsaHeader:
    """The fields of a header.

    `before` is the fields of another header of the series, mostly the same: one that stands in its place with the same
    bytes is not read again.

    Raises
    ------
    NotCsa
        A length leads out of the bytes, or a mark is missing, or a field that is wanted stands there twice.
    """
    is_csa2 = untrusted.startswith(MAGIC)
    try:
        fields = _fields(untrusted, is_csa2, before)
    except (struct.error, IndexError):
        raise NotCsa from None
    names = [field.name for field in fields if field.name]
    if len(set(names)) < len(names):
        raise NotCsa
    return CsaHeader(is_csa2, fields)


def _fields(data: bytes, is_csa2: bool, before: Sequence[ReadField]) -> list[ReadField]:
    begin = len(MAGIC) if is_csa2 else 0
    count, mark = _COUNT.unpack_from(data, begin)
    if not 1 <= count <= MOST_FIELDS or mark not in MARKS:
        raise NotCsa
    pos, left = begin + _COUNT.size, MOST_ITEMS
    fields: list[ReadField] = []
    for index in range(count):
        field = before[index] if index < len(before) else _UNREAD
        if field.encoded is None or not data.startswith(field.encoded, pos) or field.items > left:
            field = _field(data, pos, left)
        left, pos = left - field.items, pos + field.size
        fields.append(field)
    return fields


_UNREAD = ReadField(None, 0, 0)


def _field(data: bytes, pos: int, most_items: int) -> ReadField:
    count, mark = _NITEMS.unpack_from(data, pos + 76)
    if not 0 <= count <= most_items or mark not in MARKS:
        raise NotCsa
    if not count:
        return ReadField(data[pos : pos + _FIELD.size], _FIELD.size, 0)
    name = _wanted().get(data[pos : data.index(0, pos, pos + 64)], "")
    values, end = _items(data, pos + _FIELD.size, count, bool(name))
    encoded = data[pos:end] if end <= len(data) else None
    return ReadField(encoded, end - pos, count, name, values, _kept(name, values) if name else None)


def _items(data: bytes, pos: int, count: int, wanted: bool) -> tuple[tuple[bytes, ...], int]:
    """The values of a field, without what stands behind their end, and where the next field begins."""
    unpack, end, found, left = _SIZE.unpack_from, len(data), [], count
    while left:
        (size,) = unpack(data, pos)
        begin, left = pos + 16, left - 1
        if begin + size > end:
            raise NotCsa
        pos = begin + (size + 3 & ~3)
        if wanted and size:
            found.append(data[begin : begin + size].partition(b"\0")[0].strip())
        if left == 5 and not any(_FIVE_SIZES.unpack_from(data, pos)):  # most fields have one value and five empty items
            return tuple(found), pos + 80
    return tuple(found), pos


# ---------------------------------------------------------------------------------------------- writing


class CsaSeries:
    """Writes the headers of a series: each from the numbers of the one that is read, and from nothing else."""

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest: Sequence[ReadField] = ()

    def numbers_of(self, untrusted: bytes) -> bytes | None:
        """A new header that holds the numbers of this one.

        None where it cannot be read, no number is left, or a field that places slices would go: better no header than
        one that places them elsewhere.
        """
        try:
            header = read_csa(untrusted, self._latest)
        except NotCsa:
            return None
        self._latest = header.fields
        kept = [field.kept for field in header.fields if field.kept]
        if not kept or any(_is_lost(field) for field in header.fields):
            return None
        return write_csa(kept, is_csa2=header.is_csa2)


def _is_lost(field: ReadField) -> bool:
    """Whether it is one of those that place slices, has a value, and cannot be kept."""
    return field.kept is None and field.name in GEOMETRY and any(field.values)


def numbers_of(untrusted: bytes) -> bytes | None:
    """The same of a header alone."""
    return CsaSeries().numbers_of(untrusted)


def _kept(name: str, values: tuple[bytes, ...]) -> Kept | None:
    """A field whose values all are what they should be; those that are not make it go as a whole."""
    if name in _PROTOCOLS:
        protocol = asc_conv(b"\n".join(values))
        return (name, "UN", 1, (protocol,)) if protocol else None
    field = csa_fields()[name]
    filled = _without_empty_tail(values)
    if not 0 < len(filled) <= field.most:
        return None
    if name == "MosaicRefAcqTimes":
        filled = relative(filled)
    if not all(map(field.form.fits, filled)):
        return None
    return name, field.vr, field.most if field.most <= 16 else 0, filled


def _without_empty_tail(values: tuple[bytes, ...]) -> tuple[bytes, ...]:
    end = len(values)
    while end and not values[end - 1]:
        end -= 1
    return values[:end]


def relative(times: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Acquisition times in milliseconds; those that are times of day become times since the earliest of them."""
    try:
        numbers = [float(time) for time in times]
    except ValueError:
        return times
    if not all(abs(number) <= 1e9 for number in numbers) or max(numbers) <= RELATIVE_MILLISECONDS:
        return times
    return tuple(f"{number - min(numbers):.8f}".encode("ascii") for number in numbers)


def write_csa(fields: Iterable[Kept], *, is_csa2: bool) -> bytes:
    """A header of these fields; every byte of it is a value or follows from them.

    In a CSA1 header the first number of an item's head is larger than its length by the first field's items.
    """
    fields = list(fields)
    surplus = 0 if is_csa2 else _places(fields[0][3])
    parts = [MAGIC if is_csa2 else b"", _COUNT.pack(len(fields), 77)]
    parts += (_written(*field, surplus) for field in fields)
    return b"".join((*parts, bytes(4)))


@lru_cache(maxsize=512)
def _written(name: str, vr: str, multiplicity: int, values: tuple[bytes, ...], surplus: int) -> bytes:
    """A field with its items; most of the images of a series say the same in most of their fields."""
    places = _places(values)
    parts = [_FIELD.pack(name.encode("ascii"), multiplicity, vr.encode("ascii"), _SYNGO_TYPES[vr], places, 77)]
    for value in values:
        size = len(value) + 1
        parts += _ITEM.pack(size + surplus, size, 77, size), value, bytes(4 - len(value) % 4)
    parts.append(_ITEM.pack(surplus, 0, 77, 0) * (places - len(values)))
    return b"".join(parts)


def _places(values: tuple[bytes, ...]) -> int:
    """Items of a field, some of them empty: scanners write six or a multiple, and dcm2niix reads no fewer."""
    return max(1, -(-len(values) // 6)) * 6
