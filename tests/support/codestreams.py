"""Texts planted where a picture has none: in codestreams, between them, behind them, and in their offset tables.

Independent of `sendit.deid.pixels`, so that the two check each other.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames

from tests.support.phantoms import bundled

TEXT = b"Kilroy^Was^Here seen 14 May 1957 by Ms Quagmire, room 12"
"""Nobody's identifier: it is not withheld for being known, so it has to go."""
JFIF = b"\xff\xe0\0\x10JFIF\0\1\2\0\0\1\0\1\0\0"
ITEM, SEQUENCE_END = 0xE000, 0xE0DD

Plant = Callable[[bytes], bytes]


def item(value: bytes) -> bytes:
    """One item, as long as its value."""
    return struct.pack("<HHI", 0xFFFE, ITEM, len(value)) + value


def even(value: bytes) -> bytes:
    return value + b"\0" * (len(value) % 2)


def encapsulated(frames: Iterable[Sequence[bytes]], *, table: bytes | None = b"", spare: Sequence[bytes] = ()) -> bytes:
    """The value of Pixel Data; a `table` of None is a true one."""
    groups = [[item(even(fragment)) for fragment in frame] for frame in frames]
    if table is None:
        sizes = [sum(map(len, group)) for group in groups]
        table = struct.pack(f"<{len(sizes)}L", *(sum(sizes[:number]) for number in range(len(sizes))))
    body = b"".join(b"".join(group) for group in groups) + b"".join(item(even(each)) for each in spare)
    return item(table) + body + struct.pack("<HHI", 0xFFFE, SEQUENCE_END, 0)


def dataset(name: str) -> Dataset:
    """A bundled file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(bundled(name))


def frames_of(ds: Dataset) -> list[bytes]:
    """Its encoded frames."""
    return list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))


def with_pixels(ds: Dataset, value: bytes) -> bytes:
    """The file with another value of Pixel Data, written by hand: pydicom checks what it writes."""
    out = io.BytesIO()
    marked = even(b"Marked where the pixels are!")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del ds.PixelData
        ds.add_new(0x7FE00010, "OB", marked)
        ds.file_meta.TransferSyntaxUID, syntax = "1.2.840.10008.1.2.1", ds.file_meta.TransferSyntaxUID
        ds.save_as(out, enforce_file_format=False, implicit_vr=False, little_endian=True)
    data = out.getvalue()
    head, tail = data.split(struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, len(marked)) + marked)
    declared = b"\2\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"
    assert head.count(declared) == 1
    uid = even(str(syntax).encode())
    head = head.replace(declared, b"\2\0\x10\0UI" + struct.pack("<H", len(uid)) + uid)
    return head + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + value + tail


def decoded(data: bytes) -> numpy.ndarray:
    """The pixels, by pydicom with whatever decoder it finds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dcmread(io.BytesIO(data), force=True).pixel_array


# ------------------------------------------------------------------------------------------------- JPEG, JPEG-LS


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def _behind_soi(added: bytes) -> Plant:
    return lambda stream: stream[:2] + added + stream[2:]


def _before_scan(added: bytes) -> Plant:
    def plant(stream: bytes) -> bytes:
        at = _scan(stream)
        return stream[:at] + added + stream[at:]

    return plant


def _scan(stream: bytes) -> int:
    """Where the first scan's header stands."""
    pos = 2
    while stream[pos + 1] != 0xDA:
        pos += 2 + int.from_bytes(stream[pos + 2 : pos + 4], "big")
    return pos


def _before_end(added: bytes) -> Plant:
    def plant(stream: bytes) -> bytes:
        at = stream.rindex(b"\xff\xd9")
        return stream[:at] + added + stream[at:]

    return plant


def _behind(stream: bytes) -> bytes:
    return stream + TEXT


JPEG_PLANTS: dict[str, Plant] = {
    "COM": _behind_soi(segment(0xFE, TEXT)),
    "a long COM": _behind_soi(segment(0xFE, TEXT + bytes(65533 - len(TEXT)))),
    "COM before the scan": _before_scan(segment(0xFE, TEXT)),
    "COM behind the scan": _before_end(segment(0xFE, TEXT)),
    "Exif": _behind_soi(segment(0xE1, b"Exif\0\0MM\0*" + TEXT)),
    "XMP": _before_scan(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>" + TEXT)),
    "Photoshop": _behind_soi(segment(0xED, b"Photoshop 3.0\x008BIM" + TEXT)),
    "Ducky": _behind_soi(segment(0xEC, b"Ducky" + TEXT)),
    "a profile that is none": _behind_soi(segment(0xE2, b"ICC_PROFILE\0\1\1" + TEXT)),
    "JFIF's extension": _behind_soi(segment(0xE0, b"JFXX\0\x10" + TEXT)),
    "APP15": _before_scan(segment(0xEF, TEXT)),
    "between segments": _before_scan(TEXT),
    "behind fill bytes": _before_scan(b"\xff" * 5 + segment(0xFE, TEXT)),
    "behind EOI": _behind,
    "a second picture behind EOI": lambda stream: stream + stream[:2] + segment(0xFE, TEXT) + stream[2:],
}
SPIFF = segment(0xE8, b"SPIFF\0\1\2" + TEXT)
JPEG_LS_PLANTS = {name: JPEG_PLANTS[name] for name in ("COM", "COM before the scan", "Exif", "APP15", "behind EOI")}


# ------------------------------------------------------------------------------------------------- JPEG 2000


def _in_main_header(stream: bytes) -> bytes:
    at = 4 + int.from_bytes(stream[4:6], "big")  # behind SIZ
    return stream[:at] + b"\xff\x64" + struct.pack(">HH", len(TEXT) + 4, 1) + TEXT + stream[at:]


def _in_tile_part(stream: bytes) -> bytes:
    at = stream.index(b"\xff\x90\0\x0a")
    comment = b"\xff\x64" + struct.pack(">HH", len(TEXT) + 4, 1) + TEXT
    size = int.from_bytes(stream[at + 6 : at + 10], "big")
    head = stream[at : at + 6] + struct.pack(">I", size + len(comment) if size else 0) + stream[at + 10 : at + 12]
    return stream[:at] + head + comment + stream[at + 12 :]


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def boxed(stream: bytes, *more: bytes, inner: bytes = b"", open_end: bool = False) -> bytes:
    """A JP2 file around a codestream; `more` stands before it, `inner` in its header box."""
    height, width = struct.unpack(">II", stream[12:16] + stream[8:12])
    count, depth = int.from_bytes(stream[40:42], "big"), stream[42]
    space = 16 if count == 3 else 17
    header = box(b"ihdr", struct.pack(">IIHBBBB", height, width, count, depth, 7, 0, 0))
    header += inner + box(b"colr", b"\1\0\0" + struct.pack(">I", space))
    code = box(b"jp2c", stream)
    return (b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"ftyp", b"jp2 \0\0\0\0jp2 ") + box(b"jp2h", header) + b"".join(more)) + (
        bytes(4) + code[4:] if open_end else code
    )


JPEG_2000_PLANTS: dict[str, Plant] = {
    "COM": _in_main_header,
    "COM in a tile-part": _in_tile_part,
    "behind EOC": _behind,
    "an XML box": lambda stream: boxed(stream, box(b"xml ", TEXT)),
    "a UUID box": lambda stream: boxed(stream, box(b"uuid", bytes(16) + TEXT), open_end=True),
    "a box in the header box": lambda stream: boxed(stream, inner=box(b"uinf", TEXT)),
    "a box behind the codestream": lambda stream: boxed(stream) + box(b"xml ", TEXT),
    "COM in a box": lambda stream: boxed(_in_main_header(stream)),
    "behind EOC in a box": lambda stream: boxed(stream + TEXT),
    "the file type": lambda stream: boxed(stream).replace(
        box(b"ftyp", b"jp2 \0\0\0\0jp2 "), box(b"ftyp", b"jp2 \0\0\0\0jp2 " + TEXT + bytes(-len(TEXT) % 4))
    ),
}


# ------------------------------------------------------------------------------------------------- RLE


def _rle(stream: bytes, lead: bytes = b"", between: bytes = b"", header: bytes = b"") -> bytes:
    """Its segments with other bytes before and behind them, and in the header's unused places."""
    count, *offsets = struct.unpack("<16L", stream[:64])
    ends = [*offsets[1:count], len(stream)]
    out, places = lead, []
    for begin, end in zip(offsets[:count], ends, strict=True):
        places.append(64 + len(out))
        out += even(stream[begin:end] + between)
    unused = (header + bytes(60))[: 4 * (15 - count)]
    return struct.pack(f"<{count + 1}L", count, *places) + unused + out


RLE_PLANTS: dict[str, Plant] = {
    "behind the segments": _behind,
    "behind each segment": lambda stream: _rle(stream, between=TEXT),
    "before the segments": lambda stream: _rle(stream, lead=even(TEXT)),
    "in the header": lambda stream: _rle(stream, header=TEXT),
}


# ------------------------------------------------------------------------------------------------- fragments


def fragmented(stream: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The stream in fragments of these even sizes, the last as long as it is."""
    parts, at = [], 0
    for size in sizes:
        parts.append(stream[at : at + size])
        at += size
    return [*parts, stream[at:]]


def layouts(frames: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """The same frames, with a text in what is around them."""
    whole = [[frame] for frame in frames]
    text = even(TEXT)
    yield "an empty table", encapsulated(whole)
    yield "a true table", encapsulated(whole, table=None)
    yield "a table that is none", encapsulated(whole, table=text + bytes(-len(text) % 4))
    yield "a spare fragment behind", encapsulated(whole, spare=[TEXT])
    yield "a table that knows no spare fragment", encapsulated(whole, table=None, spare=[TEXT])
