"""Siemens CSA headers, (0029,xx10) and (0029,xx20): read within strict bounds, and written anew from numbers alone.

Why is in docs/decisions/0017. Knows bytes; neither elements nor recipes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class CsaHeader:
    """The fields of a header that may be kept, with their values as they are written."""

    is_csa2: bool
    values: Mapping[str, tuple[bytes, ...]]


# ---------------------------------------------------------------------------------------------- reading


def read_csa(untrusted: bytes) -> CsaHeader:
    """The fields of a header that may be kept.

    Raises
    ------
    NotCsa
        A length leads out of the bytes, or a mark is missing, or a field that is wanted stands there twice.
    """
    is_csa2 = untrusted.startswith(MAGIC)
    try:
        values = dict(_fields(untrusted, is_csa2))
    except (struct.error, IndexError):
        raise NotCsa from None
    return CsaHeader(is_csa2, values)


def _fields(data: bytes, is_csa2: bool) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    begin = len(MAGIC) if is_csa2 else 0
    count, mark = _COUNT.unpack_from(data, begin)
    if not 1 <= count <= MOST_FIELDS or mark not in MARKS:
        raise NotCsa
    pos, wanted, seen, left = begin + _COUNT.size, _wanted(), set(), MOST_ITEMS
    for _ in range(count):
        nitems, mark = _NITEMS.unpack_from(data, pos + 76)
        left -= nitems
        if nitems < 0 or left < 0 or mark not in MARKS:
            raise NotCsa
        if not nitems:
            pos += _FIELD.size
            continue
        name = wanted.get(data[pos : data.index(0, pos, pos + 64)])
        items, pos = _items(data, pos + _FIELD.size, nitems, name is not None)
        if name is not None:
            if name in seen:
                raise NotCsa
            seen.add(name)
            yield name, items


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


def numbers_of(untrusted: bytes) -> bytes | None:
    """A new header that holds the numbers of this one and nothing else.

    None where it cannot be read, no number is left, or a field that places slices would go: better no header than one
    that places them elsewhere.
    """
    try:
        header = read_csa(untrusted)
    except NotCsa:
        return None
    kept = [field for name, values in header.values.items() if (field := _kept(name, values))]
    names = {field[0] for field in kept}
    if not kept or any(any(header.values.get(name, ())) and name not in names for name in GEOMETRY):
        return None
    return write_csa(kept, is_csa2=header.is_csa2)


Kept = tuple[str, str, int, tuple[bytes, ...]]
"""What is written of a field: its name, VR, multiplicity and values."""


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
