"""Frames as arrays: what stands in a frame's bytes, rows × columns × samples, and whether two frames are alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sendit.deid.burned_in.coding.codecs import CODECS, Undecodable
from sendit.deid.burned_in.looking.rendering import Pixels
from sendit.deid.burned_in.native import black_of, layout_of
from sendit.deid.burned_in.picture import Picture, written_syntax
from sendit.deid.burned_in.record import Box

SMOOTHED = 2
"""Pixels beside a block whose colour a decoder makes of two blocks, where chrominance is halved."""
FLAT = 2
"""How much the values of a blank block may differ: colours that were halved are put together by interpolation."""


def shown(picture: Picture) -> Picture:
    """Return how decoded frames are to be understood: what is decoded for a screen is red, green and blue."""
    codec = CODECS.get(picture.syntax)
    is_shown = codec is not None and codec.blank is not None and picture.samples == 3
    return replace(picture, photometric="RGB") if is_shown else picture


def decoded(data: bytes, picture: Picture) -> Pixels:
    """Return the stored values of a frame: rows × columns × samples. Raises Undecodable."""
    codec = CODECS.get(picture.syntax)
    return _native(data, picture) if codec is None else as_stored(codec.decode(data, picture), picture)


def as_stored(samples: Pixels, picture: Picture) -> Pixels:
    """Return samples as the header says that they are to be understood: with a sign, and without unused bits."""
    if picture.pixel_representation and samples.dtype.kind == "u":
        samples = samples.view(samples.dtype.str.replace("u", "i"))
    return without_unused_bits(samples, picture)


@dataclass(frozen=True, slots=True)
class Blanked:
    """A compressed frame with rectangles blanked, as it decodes, and whether all else is what it was."""

    frame: bytes
    after: Pixels
    is_proven: bool


def blanked(data: bytes, picture: Picture, boxes: Sequence[Box]) -> Blanked:
    """Blank rectangles of a compressed frame. Raises Undecodable."""
    codec = CODECS.get(picture.syntax)
    if codec is None:
        raise Undecodable
    before = codec.decode(data, picture)
    if codec.blank is not None and picture.bits_allocated == 8:
        frame = codec.blank(data, picture, boxes)
        after = codec.decode(frame, picture)
        return Blanked(frame, after, _is_proven_but_for_edges(before, after, boxes))
    after = before.copy()
    for box in boxes:
        after[box.top : box.bottom, box.left : box.right] = black_in(before, picture)
    frame = codec.encode(after, picture)
    written = CODECS[written_syntax(picture)].decode(frame, picture)
    one, other = as_stored(before, picture), as_stored(written, picture)
    return Blanked(frame, other, is_proven(one, other, boxes, picture))


def is_proven(before: Pixels, after: Pixels, boxes: Sequence[Box], picture: Picture) -> bool:
    """Return whether a frame is black in the rectangles, and outside of them the same."""
    black = black_of(picture)
    is_black = all((after[box.top : box.bottom, box.left : box.right] == black).all() for box in boxes)
    return is_black and are_alike_outside(before, after, boxes)


def _is_proven_but_for_edges(before: Pixels, after: Pixels, boxes: Sequence[Box]) -> bool:
    """The same where chrominance may be smoothed over the edges of blocks: these pixels' coefficients are the same."""
    margin = SMOOTHED if before.shape[2] > 1 else 0
    inner = [box.grown(-margin) for box in boxes]
    inside = [after[box.top : box.bottom, box.left : box.right] for box in inner]
    is_flat = all(not part.size or int(np.ptp(part, axis=(0, 1)).max()) <= FLAT for part in inside)
    return is_flat and are_alike_outside(before, after, [box.grown(margin).within(*before.shape[:2]) for box in boxes])


def black_in(samples: Pixels, picture: Picture) -> Pixels:
    """Return a black pixel, as samples of that type hold it."""
    black = np.array(black_of(picture))
    return (black if samples.dtype.kind == "i" else black % (1 << picture.bits_stored)).astype(samples.dtype)


def _native(data: bytes, picture: Picture) -> Pixels:
    layout = layout_of(picture, len(data) * picture.frames)
    if layout is None or len(data) != layout.frame_bytes:
        raise Undecodable
    kind = np.dtype(f"{picture.order}{'i' if picture.pixel_representation else 'u'}{picture.bits_allocated // 8}")
    values = np.frombuffer(data, kind)
    if picture.swapped:
        values = values.reshape(-1, 2)[:, ::-1].ravel()
    if layout.step == 2:
        return _widened(values, picture)
    if picture.samples > 1 and picture.planar:
        return values.reshape(picture.samples, picture.rows, picture.columns).transpose(1, 2, 0)
    return without_unused_bits(values, picture).reshape(picture.rows, picture.columns, picture.samples)


def without_unused_bits(values: Pixels, picture: Picture) -> Pixels:
    """Return stored values without what stands in the bits above Bits Stored."""
    unused = values.dtype.itemsize * 8 - picture.bits_stored
    return values if unused <= 0 else (values << unused) >> unused


def _widened(values: Pixels, picture: Picture) -> Pixels:
    """Y, Y, Cb, Cr of each two pixels as Y, Cb, Cr of each."""
    pairs = values.reshape(picture.rows, picture.columns // 2, 4)
    out = np.empty((picture.rows, picture.columns, 3), values.dtype)
    out[:, ::2, 0], out[:, 1::2, 0] = pairs[..., 0], pairs[..., 1]
    out[..., 1], out[..., 2] = np.repeat(pairs[..., 2], 2, axis=1), np.repeat(pairs[..., 3], 2, axis=1)
    return out


def are_alike_outside(one: Pixels, other: Pixels, boxes: Iterable[Box]) -> bool:
    """Return whether two frames are the same outside of the rectangles, and the second has one value in each."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    differs = (one != other).any(axis=2)
    for box in boxes:
        differs[box.top : box.bottom, box.left : box.right] = False
    return not differs.any()
