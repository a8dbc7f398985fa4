"""An image's frames as a worker handles them: where they are, how they are asked about, and what takes their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sendit.deid.burned_in.blanked_source import BlankedFrames, ExtendedSource, Readable
from sendit.deid.burned_in.coding.jpeg_frame import NotSequential, frame_header
from sendit.deid.burned_in.encoded_value import EncodedValue
from sendit.deid.burned_in.messages import Message
from sendit.deid.burned_in.native import Layout, layout_of
from sendit.deid.burned_in.picture import PIXEL_DATA, Picture, written_syntax
from sendit.deid.burned_in.record import Box
from sendit.deid.pixels.fragments import by_table, read_fragments, without_table
from sendit.deid.pixels.offset_table import numbers, take_extended
from sendit.deid.pixels.picture import is_encapsulated
from sendit.deid.pixels.selection import Codestream, Fragment
from sendit.deid.pixels.syntaxes import CODECS
from sendit.deid.stream.part_ten import PartTen
from sendit.deid.stream.sources import Bulk

Pieces = list[bytes | Bulk]
Ask = Callable[[dict[str, object], bytes], Message]
BLOCKED = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
MOST_FRAME = 256 * 1024 * 1024
"""Bytes of one frame that is held in memory, decoded."""


class NotProven(Exception):
    """A frame is not the same outside of what was blanked."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """What takes the place of the pieces and of the file that they are ranges of."""

    pieces: Pieces
    part_ten: PartTen


class Frames(Protocol):
    """The frames of one image."""

    step: tuple[int, int]
    """Columns and rows that only go together."""
    are_encoded: bool
    """Whether a codec is asked to decode them."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield them as they came, one by one."""
        ...

    def prove(self, ask: Ask, boxes: Sequence[Box]) -> None:
        """Have every frame blanked and compared with what it was. Raises NotProven."""
        ...

    def replaced(self) -> Replaced:
        """Return the image with the frames that were proven."""
        ...


def frames_of(pieces: Pieces, bulk: Bulk, part_ten: PartTen, picture: Picture) -> Frames | None:
    """Return an image's frames; None where nobody can say where they are."""
    if bulk.parts or bulk.tag != PIXEL_DATA:
        return None
    if picture.rows * picture.columns * picture.samples * picture.bits_allocated // 8 > MOST_FRAME:
        return None
    if is_encapsulated(bulk, part_ten.encoding) is not part_ten.syntax.encapsulated:
        return None
    if not part_ten.syntax.encapsulated:
        layout = layout_of(picture, bulk.length)
        return None if layout is None else NativeFrames(pieces, bulk, part_ten, picture, layout)
    groups = _groups(pieces, bulk, part_ten, picture)
    return None if groups is None else EncodedFrames(pieces, bulk, part_ten, picture, groups)


# ---------------------------------------------------------------------------------------------- without compression


class NativeFrames:
    """Uncompressed frames: they are blanked each time that they are read."""

    def __init__(self, pieces: Pieces, bulk: Bulk, part_ten: PartTen, picture: Picture, layout: Layout) -> None:
        self._pieces, self._bulk, self._part_ten = pieces, bulk, part_ten
        self._picture, self._layout = picture, layout
        self.step, self.are_encoded = (layout.step, 1), False
        self._blanked: BlankedFrames | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Yield them as they came."""
        size = self._layout.frame_bytes
        for number in range(self._picture.frames):
            yield self._part_ten.source.read(self._bulk.offset + number * size, size)

    def prove(self, ask: Ask, boxes: Sequence[Box]) -> None:
        """Compare every frame with what is delivered in its place."""
        bulk, source, frames = self._bulk, self._part_ten.source, self._picture.frames
        self._blanked = BlankedFrames(source, bulk.offset, bulk.length, self._layout, frames, tuple(boxes))
        for number, frame in enumerate(self):
            answer = ask({"do": "prove", "before": len(frame)}, frame + self._blanked.frame(number))
            if answer.said["alike"] is not True:
                raise NotProven

    def replaced(self) -> Replaced:
        """Return the image with blanked frames."""
        assert self._blanked is not None
        return _moved(self._pieces, self._bulk, self._part_ten, self._blanked)


def _moved(pieces: Pieces, bulk: Bulk, part_ten: PartTen, value: Readable) -> Replaced:
    """The image with another value of its pixel data."""
    moved = bulk._replace(offset=part_ten.source.size, length=value.size)
    source = ExtendedSource(part_ten.source, value)
    return Replaced([moved if piece is bulk else piece for piece in pieces], replace(part_ten, source=source))


# ---------------------------------------------------------------------------------------------- compressed


class EncodedFrames:
    """Compressed frames: each is decoded, blanked and encoded again by the detector's process."""

    def __init__(
        self, pieces: Pieces, bulk: Bulk, part_ten: PartTen, picture: Picture, groups: Sequence[Sequence[Fragment]]
    ) -> None:
        self._pieces, self._bulk, self._part_ten, self._groups = pieces, bulk, part_ten, groups
        self._written = written_syntax(picture)
        self.step, self.are_encoded = _blocks(next(iter(self)), picture), True
        self._value: EncodedValue | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Yield them as they came."""
        for group in self._groups:
            stream = Codestream(self._part_ten.source, group)
            yield stream.read(0, stream.size)

    def prove(self, ask: Ask, boxes: Sequence[Box]) -> None:
        """Blank every frame, and have what it was compared with what it is when it is decoded again."""
        value = EncodedValue(self._part_ten.encoding)
        for frame in self:
            answer = ask({"do": "blank"}, frame)
            if answer.said["alike"] is not True:
                raise NotProven
            value.add(answer.data)
        value.end()
        self._value = value

    def replaced(self) -> Replaced:
        """Return the image with the frames that were encoded again; an extended offset table goes."""
        assert self._value is not None
        begin = next(number for number, piece in enumerate(self._pieces) if piece is self._bulk)
        before = list(self._pieces[:begin])
        take_extended(before, self._part_ten.encoding, self._part_ten.source)
        written = replace(self._part_ten, syntax=replace(self._part_ten.syntax, uid=self._written))
        return _moved([*before, *self._pieces[begin:]], self._bulk, written, self._value)


def _blocks(frame: bytes, picture: Picture) -> tuple[int, int]:
    """Columns and rows that are blanked together: of JPEG with 8 bits, what its blocks cover."""
    if picture.syntax not in BLOCKED or picture.bits_allocated != 8:
        return 1, 1
    try:
        return frame_header(frame).mcu
    except NotSequential:
        return 1, 1  # nor will it be decoded


def _groups(pieces: Pieces, bulk: Bulk, part_ten: PartTen, picture: Picture) -> list[list[Fragment]] | None:
    """The fragments of each frame; None where they are not as many as the header says."""
    encoding, source = part_ten.encoding, part_ten.source
    items, codec = read_fragments(source, bulk.offset, bulk.offset + bulk.length, encoding), CODECS.get(picture.syntax)
    if items is None or codec is None:
        return None
    before = list(pieces[: next(number for number, piece in enumerate(pieces) if piece is bulk)])
    extended = take_extended(before, encoding, source)
    groups = by_table(items.fragments, numbers(items.table, 4, encoding), picture.frames)
    if groups is None and extended is not None and not items.table:
        groups = by_table(items.fragments, extended.offsets(encoding), picture.frames)
    if groups is None and picture.frames == 1:
        groups = [items.fragments]
    if groups is None:
        groups, _ = without_table(source, items.fragments, codec, picture.frames)
    too_long = any(sum(size for _, size in group) > MOST_FRAME for group in groups)
    return groups if len(groups) == picture.frames and not too_long else None
