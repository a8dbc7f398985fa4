"""The segments of a sequential JPEG frame (ISO 10918-1 Annex B), as far as blanking its blocks needs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BLOCK = 8
SOF0, SOF1, DHT, EOI, SOS, DRI = 0xC0, 0xC1, 0xC4, 0xD9, 0xDA, 0xDD
RESTARTS = range(0xD0, 0xD8)


class NotSequential(Exception):
    """The bytes are no frame of a Huffman-coded sequential process."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a frame: its identifier and its sampling factors."""

    identifier: int
    across: int
    down: int
    quantization: int


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What SOF0 or SOF1 says."""

    precision: int
    rows: int
    columns: int
    components: tuple[Component, ...]

    @property
    def mcu(self) -> tuple[int, int]:
        """Columns and rows of pixels that are coded together, whatever the scan."""
        if len(self.components) == 1:
            return BLOCK, BLOCK
        across, down = (max(factors) for factors in zip(*((c.across, c.down) for c in self.components), strict=True))
        return BLOCK * across, BLOCK * down


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker with its parameters, from `begin` to `end`; of SOS, `end` is where its entropy-coded bytes begin."""

    marker: int
    begin: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments from behind SOI to EOI; scans are passed over. Raises NotSequential."""
    if data[:2] != b"\xff\xd8":
        raise NotSequential
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            raise NotSequential
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == EOI:
            yield Segment(marker, at, at + 2)
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4 or end > len(data):
            raise NotSequential
        yield Segment(marker, at, end)
        at = scan_end(data, end) if marker == SOS else end


def scan_end(data: bytes, at: int) -> int:
    """Return where the marker behind the entropy-coded bytes at `at` stands, restart markers being among them."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return len(data)
        if data[at + 1] == 0 or data[at + 1] in RESTARTS:
            at += 2
        elif data[at + 1] == 0xFF:
            at += 1
        else:
            return at


def frame_header(data: bytes) -> FrameHeader:
    """Return what the frame header says. Raises NotSequential."""
    for segment in segments(data):
        if segment.marker in (SOF0, SOF1):
            return _frame_header(data[segment.begin + 4 : segment.end])
        if segment.marker == SOS:
            break
    raise NotSequential


def _frame_header(body: bytes) -> FrameHeader:
    count = body[5] if len(body) > 5 else 0
    if not count or len(body) != 6 + 3 * count:
        raise NotSequential
    components = tuple(
        Component(body[at], body[at + 1] >> 4, body[at + 1] & 15, body[at + 2]) for at in range(6, len(body), 3)
    )
    if not all(1 <= factor <= 4 for component in components for factor in (component.across, component.down)):
        raise NotSequential
    rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    return FrameHeader(body[0], rows, columns, components)
