"""Compressed frames as samples, and samples as frames again, by transfer syntax. Runs in the detector's process."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import imagecodecs
import jpeg_ls
import numpy as np

from sendit.deid.burned_in.coding import jpeg_blocks, turbo_jpeg
from sendit.deid.burned_in.coding.jpeg_frame import NotSequential, frame_header, segments
from sendit.deid.burned_in.looking.rendering import Pixels
from sendit.deid.burned_in.native import black_of
from sendit.deid.burned_in.picture import Picture
from sendit.deid.burned_in.record import Box

END_OF_IMAGE = b"\xff\xd9"


class Undecodable(Exception):
    """A frame's bytes are no frame."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How frames of some transfer syntaxes are read and written.

    Parameters
    ----------
    decode : callable
        Samples as they are stored: rows × columns × samples. Undecodable where they are no frame of that size.
    encode : callable
        The frame of samples, without any loss.
    """

    decode: Callable[[bytes, Picture], Pixels]
    encode: Callable[[Pixels, Picture], bytes]
    blank: Callable[[bytes, Picture, Sequence[Box]], bytes] | None = None
    """Blanks rectangles without decoding what is around them, where that is possible."""


def decoded_by(decoder: Callable[..., Any], data: bytes, picture: Picture, **more: Any) -> Pixels:
    """Return what a decoder of imagecodecs makes of a frame. Raises Undecodable."""
    try:
        found = np.asarray(decoder(data, **more))
    except (RuntimeError, ValueError, MemoryError):  # what each of its decoders raises is a RuntimeError
        raise Undecodable from None
    return shaped(found, picture)


def shaped(found: Pixels, picture: Picture) -> Pixels:
    """Return samples as rows × columns × samples. Raises Undecodable where they are another number."""
    if found.size != picture.rows * picture.columns * picture.samples or found.dtype.kind not in "iu":
        raise Undecodable
    return found.reshape(picture.rows, picture.columns, picture.samples)


# ---------------------------------------------------------------------------------------------- JPEG


def _jpeg_decode(data: bytes, picture: Picture) -> Pixels:
    """Samples as they are shown: red, green and blue where there are three."""
    ensure_size(jpeg_size(data), picture)
    stored = "YCBCR" if picture.photometric.startswith("YBR") else "RGB"
    colors = {"colorspace": stored, "outcolorspace": "RGB"} if picture.samples == 3 else {}
    return decoded_by(imagecodecs.jpeg8_decode, data, picture, **colors)


def _black_as_coded(data: bytes, picture: Picture) -> tuple[int, ...]:
    """The samples of black as the frame codes them, which not every header tells rightly."""
    if picture.samples == 1:
        return black_of(picture)
    header = {segment.marker: data[segment.begin + 4 : segment.end] for segment in segments(data)}
    adobe, names = header.get(0xEE, b""), bytes(each.identifier for each in frame_header(data).components)
    if header.get(0xE0, b"").startswith(b"JFIF"):
        is_rgb = False
    elif adobe.startswith(b"Adobe") and len(adobe) >= 12:
        is_rgb = adobe[11] == 0
    else:
        is_rgb = names == b"RGB" or not picture.photometric.startswith("YBR")
    return (0, 0, 0) if is_rgb else (0, 128, 128)


def _jpeg_blank(data: bytes, picture: Picture, boxes: Sequence[Box]) -> bytes:
    try:
        black = _black_as_coded(data, picture)
        try:
            return turbo_jpeg.with_blank_blocks(data, boxes, black)
        except turbo_jpeg.NotTransformed:
            return jpeg_blocks.with_blank_blocks(data, boxes, black)
    except NotSequential:
        raise Undecodable from None


# ---------------------------------------------------------------------------------------------- JPEG Lossless


def _lossless_jpeg_decode(data: bytes, picture: Picture) -> Pixels:
    ensure_size(jpeg_size(data), picture)
    if not data.rstrip(b"\0").endswith(END_OF_IMAGE):  # the decoder would make up what is missing
        raise Undecodable
    return decoded_by(imagecodecs.jpeg8_decode, data, picture, **_as_stored(picture))


def _lossless_jpeg_encode(samples: Pixels, picture: Picture) -> bytes:
    frame = imagecodecs.jpeg8_encode(
        np.ascontiguousarray(_squeezed(samples)),
        lossless=True,
        predictor=1,
        bitspersample=max(picture.bits_stored, 2),
        **_as_stored(picture),
    )
    return bytes(frame)


def _as_stored(picture: Picture) -> dict[str, Any]:
    """No transform of colours, in neither direction."""
    return {"colorspace": "RGB", "outcolorspace": "RGB"} if picture.samples == 3 else {}


# ---------------------------------------------------------------------------------------------- JPEG-LS


def _jpeg_ls_decode(data: bytes, picture: Picture) -> Pixels:
    ensure_size(jpeg_size(data), picture)
    return decoded_by(imagecodecs.jpegls_decode, data, picture)


def _jpeg_ls_encode(samples: Pixels, picture: Picture) -> bytes:
    data = np.ascontiguousarray(samples)
    frame = jpeg_ls.encode_pixel_data(
        data.astype(data.dtype.newbyteorder("<")).tobytes(),
        lossy_error=0,
        rows=picture.rows,
        columns=picture.columns,
        samples_per_pixel=picture.samples,
        bits_stored=picture.bits_stored,
        **({"planar_configuration": 0} if picture.samples > 1 else {}),
    )
    return bytes(frame)


# ---------------------------------------------------------------------------------------------- JPEG 2000


def _jpeg2000_decode(data: bytes, picture: Picture) -> Pixels:
    ensure_size(jpeg2000_size(data), picture)
    return decoded_by(imagecodecs.jpeg2k_decode, data, picture)


def _jpeg2000_encode(samples: Pixels, picture: Picture) -> bytes:
    frame = imagecodecs.jpeg2k_encode(
        np.ascontiguousarray(_squeezed(samples)),
        level=0,
        codecformat="j2k",
        reversible=True,
        mct=picture.samples == 3 and picture.photometric != "YBR_FULL",
        bitspersample=picture.bits_stored,
    )
    return bytes(frame)


def _high_throughput_decode(data: bytes, picture: Picture) -> Pixels:
    ensure_size(jpeg2000_size(data), picture)
    return decoded_by(imagecodecs.htj2k_decode, data, picture)


def _high_throughput_encode(samples: Pixels, picture: Picture) -> bytes:
    rgb = picture.samples == 3 and picture.photometric != "YBR_FULL"
    return bytes(imagecodecs.htj2k_encode(np.ascontiguousarray(_squeezed(samples)), reversible=True, rgb=rgb))


def _squeezed(samples: Pixels) -> Pixels:
    return samples[..., 0] if samples.shape[2] == 1 else samples


# ---------------------------------------------------------------------------------------------- RLE

_RLE_HEADER = struct.Struct("<16L")


def _rle_decode(data: bytes, picture: Picture) -> Pixels:
    """Segments are the bytes of samples, the most significant first (PS3.5 Annex G.2)."""
    size = picture.bits_allocated // 8
    if len(data) < _RLE_HEADER.size or size not in (1, 2, 4):
        raise Undecodable
    count, *offsets = _RLE_HEADER.unpack_from(data)
    if count != size * picture.samples or count > 15:
        raise Undecodable
    bounds = [*offsets[:count], len(data)]
    planes = [_segment(data[begin:end], picture) for begin, end in pairwise(bounds)]
    stacked = np.stack(planes, axis=-1).reshape(picture.rows, picture.columns, picture.samples, size)
    return np.ascontiguousarray(stacked).view(f">u{size}")[..., 0].astype(f"u{size}")


def _segment(data: bytes, picture: Picture) -> Pixels:
    wanted = picture.rows * picture.columns
    try:
        found = np.frombuffer(imagecodecs.packbits_decode(data), np.uint8)
    except RuntimeError:
        raise Undecodable from None
    if len(found) < wanted:
        raise Undecodable
    return found[:wanted].reshape(picture.rows, picture.columns)


def _rle_encode(samples: Pixels, picture: Picture) -> bytes:
    size = samples.dtype.itemsize
    planes = np.ascontiguousarray(samples.astype(f">u{size}")).view(np.uint8)
    planes = planes.reshape(picture.rows, picture.columns, picture.samples * size)
    position, offsets, segments = _RLE_HEADER.size, [], []
    for number in range(planes.shape[2]):
        segment = bytes(imagecodecs.packbits_encode(np.ascontiguousarray(planes[..., number]), axis=-1))
        segment += b"\0" * (len(segment) % 2)
        offsets.append(position)
        position += len(segment)
        segments.append(segment)
    return _RLE_HEADER.pack(len(offsets), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)


# ---------------------------------------------------------------------------------------------- sizes

FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15, and of JPEG-LS SOF55."""
Size = tuple[int, int, int]
"""Rows, columns and samples."""


def ensure_size(size: Size | None, picture: Picture) -> None:
    """Raise Undecodable where a codestream says another size than the header: it might be a thousand times as large."""
    if size != (picture.rows, picture.columns, picture.samples):
        raise Undecodable


def jpeg_size(data: bytes) -> Size | None:
    """Return the size in the frame header of JPEG or JPEG-LS; None where there is none."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in FRAME_HEADERS:
            if at + 10 > len(data):
                return None
            rows, columns, samples = struct.unpack_from(">HHB", data, at + 5)
            return rows, columns, samples
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def jpeg2000_size(data: bytes) -> Size | None:
    """Return the size in the SIZ segment of JPEG 2000; None where there is none."""
    at = data.find(b"\xff\x4f\xff\x51", 0, 1 << 16)
    if at < 0 or at + 42 > len(data):
        return None
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 8)
    (samples,) = struct.unpack_from(">H", data, at + 40)
    return bottom - top, right - left, samples


JPEG = Codec(_jpeg_decode, _jpeg_ls_encode, _jpeg_blank)
LOSSLESS_JPEG = Codec(_lossless_jpeg_decode, _lossless_jpeg_encode)
JPEG_LS = Codec(_jpeg_ls_decode, _jpeg_ls_encode)
JPEG_2000 = Codec(_jpeg2000_decode, _jpeg2000_encode)
HIGH_THROUGHPUT_JPEG_2000 = Codec(_high_throughput_decode, _high_throughput_encode)
RLE = Codec(_rle_decode, _rle_encode)

_STILL = "1.2.840.10008.1.2"
CODECS: dict[str, Codec] = {
    **{f"{_STILL}.4.{number}": JPEG for number in (50, 51)},
    **{f"{_STILL}.4.{number}": LOSSLESS_JPEG for number in (57, 70)},
    **{f"{_STILL}.4.{number}": JPEG_LS for number in (80, 81)},
    **{f"{_STILL}.4.{number}": JPEG_2000 for number in (90, 91)},
    **{f"{_STILL}.4.{number}": HIGH_THROUGHPUT_JPEG_2000 for number in (201, 202, 203)},
    f"{_STILL}.5": RLE,
}
"""By transfer syntax. What is written without loss is legal in those that allow loss, too."""
