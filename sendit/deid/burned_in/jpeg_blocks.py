"""Blanking blocks of a sequential JPEG frame without decoding it: all other coefficients stay, bit by bit.

The entropy-coded bits of a block that stays are copied. Only the first DC difference behind a blanked block is another
one, because it is told against what is black now. Headers and tables are the frame's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sendit.deid.burned_in.jpeg_frame import (
    BLOCK,
    DHT,
    DRI,
    SOS,
    Component,
    FrameHeader,
    NotSequential,
    frame_header,
    scan_end,
    segments,
)
from sendit.deid.burned_in.record import Box

Bits = NDArray[np.uint8]

DQT = 0xDB
LONGEST_CODE = 16
END_OF_BLOCK = 0


@dataclass(frozen=True, slots=True)
class HuffmanTable:
    """A table of DHT: what each 16 bits begin with, and the code of each symbol.

    Parameters
    ----------
    lookup : list of int
        For 16 bits: bits of the code and of the number behind it, times 256, plus the symbol; 0 where there is no code.
    codes : mapping of int to (int, int)
        For a symbol: its code and how many bits that has.
    """

    lookup: list[int]
    codes: Mapping[int, tuple[int, int]]


def huffman_table(counts: bytes, symbols: bytes) -> HuffmanTable:
    """Return the table that a DHT segment describes (ISO 10918-1 Annex C)."""
    lookup, codes = np.zeros(1 << LONGEST_CODE, np.int64), dict[int, tuple[int, int]]()
    code, at = 0, 0
    for length, count in enumerate(counts, start=1):
        for symbol in symbols[at : at + count]:
            first = code << LONGEST_CODE - length
            if first + (1 << LONGEST_CODE - length) > 1 << LONGEST_CODE:
                raise NotSequential
            lookup[first : first + (1 << LONGEST_CODE - length)] = (length + (symbol & 15)) << 8 | symbol
            codes.setdefault(symbol, (code, length))
            code += 1
        at += count
        code <<= 1
    return HuffmanTable(lookup.tolist(), codes)


@dataclass(slots=True)
class Tables:
    """What the segments before a scan define."""

    huffman: dict[int, HuffmanTable] = field(default_factory=dict)
    dc_quantization: dict[int, int] = field(default_factory=dict)
    restart_interval: int = 0

    def read(self, marker: int, body: bytes) -> None:
        """Take in one segment."""
        if marker == DRI:
            self.restart_interval = int.from_bytes(body[:2], "big")
        elif marker == DHT:
            at = 0
            while at + 17 <= len(body):
                size = sum(body[at + 1 : at + 17])
                self.huffman[body[at]] = huffman_table(body[at + 1 : at + 17], body[at + 17 : at + 17 + size])
                at += 17 + size
        elif marker == DQT:
            at = 0
            while at < len(body):
                wide = body[at] >> 4
                self.dc_quantization[body[at] & 15] = int.from_bytes(body[at + 1 : at + 2 + wide], "big")
                at += 1 + 64 * (1 + wide)


@dataclass(frozen=True, slots=True)
class CodedComponent:
    """A component in a scan."""

    number: int
    component: Component
    dc: HuffmanTable
    ac: HuffmanTable
    black: int


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan: its components, how many MCUs there are across and down, and the pixels of one."""

    parts: tuple[CodedComponent, ...]
    across: int
    down: int
    width: int
    height: int

    def blocks_of(self, part: CodedComponent) -> int:
        """How many blocks of a component an MCU has."""
        return 1 if len(self.parts) == 1 else part.component.across * part.component.down

    def blanked(self, boxes: Sequence[Box]) -> bytearray:
        """For each MCU, whether a rectangle touches it."""
        found = bytearray(self.across * self.down)
        for box in boxes:
            left, right = box.left // self.width, min(-(-box.right // self.width), self.across)
            for row in range(box.top // self.height, min(-(-box.bottom // self.height), self.down)):
                found[row * self.across + left : row * self.across + right] = b"\1" * max(right - left, 0)
        return found


def with_blank_blocks(data: bytes, boxes: Sequence[Box], black: Sequence[int]) -> bytes:
    """Return a frame in which the MCUs that rectangles touch are black.

    Parameters
    ----------
    data : bytes
    boxes : sequence of Box
    black : sequence of int
        The value of a black sample, 0 to 255, of each component.

    Raises
    ------
    NotSequential
        It is no such frame, or its tables have no code for what has to be written.
    """
    header, tables, out, copied = frame_header(data), Tables(), [], 0
    for segment in segments(data):
        body = data[segment.begin + 4 : segment.end]
        if segment.marker == SOS:
            scan = _scan(body, header, tables, black)
            end = scan_end(data, segment.end)
            out += [data[copied : segment.end], _coded(data[segment.end : end], scan, tables, boxes)]
            copied = end
        else:
            tables.read(segment.marker, body)
    return b"".join([*out, data[copied:]])


def _scan(body: bytes, header: FrameHeader, tables: Tables, black: Sequence[int]) -> Scan:
    numbers = {component.identifier: number for number, component in enumerate(header.components)}
    try:
        parts = tuple(
            _coded_component(numbers[body[at]], body[at + 1], header, tables, black)
            for at in range(1, 1 + 2 * body[0], 2)
        )
    except (KeyError, IndexError):
        raise NotSequential from None
    across, down = (max(c.across for c in header.components), max(c.down for c in header.components))
    if len(parts) > 1:
        width, height = BLOCK * across, BLOCK * down
        return Scan(parts, -(-header.columns // width), -(-header.rows // height), width, height)
    only = parts[0].component
    columns, rows = -(-header.columns * only.across // across), -(-header.rows * only.down // down)
    width, height = BLOCK * across // only.across, BLOCK * down // only.down
    return Scan(parts, -(-columns // BLOCK), -(-rows // BLOCK), width, height)


def _coded_component(
    number: int, selectors: int, header: FrameHeader, tables: Tables, black: Sequence[int]
) -> CodedComponent:
    component = header.components[number]
    quantization = tables.dc_quantization[component.quantization]
    dc, ac = tables.huffman[selectors >> 4], tables.huffman[0x10 | selectors & 15]
    return CodedComponent(number, component, dc, ac, _dc_of(black[number], quantization))


def _dc_of(value: int, quantization: int) -> int:
    """The DC coefficient of a block of one value; of black and white the nearest that is not lighter or darker."""
    wanted = (value - 128) * BLOCK
    steps = -(-abs(wanted) // quantization) if value == 0 else abs(wanted) // quantization
    return steps if wanted > 0 else -steps


# ---------------------------------------------------------------------------------------------- entropy-coded bytes


def _coded(data: bytes, scan: Scan, tables: Tables, boxes: Sequence[Box]) -> bytes:
    """The entropy-coded bytes of a scan, restart interval by restart interval."""
    blank, out = scan.blanked(boxes), []
    interval = tables.restart_interval or len(blank)
    for number, (coded, marker) in enumerate(_intervals(data)):
        wanted = blank[number * interval : (number + 1) * interval]
        out.append((_Interval(coded, scan).with_blank(wanted) if any(wanted) else coded) + marker)
    return b"".join(out)


def _intervals(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The bytes between restart markers, each with the marker behind it."""
    begin, at = 0, 0
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1]:
            yield data[begin:at], data[at : at + 2]
            begin = at + 2
        at += 2
    yield data[begin:], b""


class _Interval:
    """One restart interval: its bits, and where the blocks are in them."""

    def __init__(self, coded: bytes, scan: Scan) -> None:
        plain = coded.replace(b"\xff\0", b"\xff")
        padded = np.frombuffer(plain + b"\xff" * 4, np.uint8).astype(np.int64)
        self._bits = np.unpackbits(np.frombuffer(plain, np.uint8))
        self._windows: list[int] = (padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]).tolist()
        self._scan = scan
        self._parts: list[Bits] = []
        self._copied = 0

    def with_blank(self, blank: bytearray) -> bytes:
        """Return the interval's bytes with some of its MCUs blanked."""
        parts = self._scan.parts
        blocks = [(place, part) for place, part in enumerate(parts) for _ in range(self._scan.blocks_of(part))]
        said, true = [0] * len(parts), [0] * len(parts)
        last, position = len(blank) - 1 - blank[::-1].index(1), 0
        for mcu, is_blank in enumerate(blank):
            begin = position
            for place, part in blocks:
                start, before = position, true[place]
                position, difference, dc_bits = self._block(start, part)
                true[place] = before + difference
                if not is_blank:
                    if said[place] != before:
                        self._copy_to(start)
                        self._write_dc(true[place] - said[place], part)
                        self._copied = start + dc_bits
                    said[place] = true[place]
            if is_blank:
                self._copy_to(begin)
                for place, part in blocks:
                    self._write_dc(part.black - said[place], part)
                    self._write(*_code(part.ac, END_OF_BLOCK))
                    said[place] = part.black
                self._copied = position
            elif mcu > last:
                break  # from here on all is told against what it was told against
        self._parts.append(self._bits[self._copied :])
        return _stuffed(self._parts)

    def _block(self, position: int, part: CodedComponent) -> tuple[int, int, int]:
        """Where a block ends, its DC difference, and the bits that this takes."""
        windows, start = self._windows, position
        try:
            found = part.dc.lookup[windows[position >> 3] >> 8 - (position & 7) & 0xFFFF]
            position += found >> 8
            size = found & 15
            if not found or size > 11:
                raise NotSequential
            difference, dc_bits = _extended(self._bits[position - size : position], size), position - start
            lookup, count = part.ac.lookup, 1
            while count < BLOCK * BLOCK:
                found = lookup[windows[position >> 3] >> 8 - (position & 7) & 0xFFFF]
                if not found:
                    raise NotSequential
                position += found >> 8
                symbol = found & 0xFF
                if not symbol:
                    break
                count += (symbol >> 4) + 1
        except IndexError:
            raise NotSequential from None
        if count > BLOCK * BLOCK or position > len(self._bits):
            raise NotSequential
        return position, difference, dc_bits

    def _copy_to(self, position: int) -> None:
        self._parts.append(self._bits[self._copied : position])
        self._copied = position

    def _write_dc(self, difference: int, part: CodedComponent) -> None:
        size = abs(difference).bit_length()
        self._write(*_code(part.dc, size))
        self._write(difference if difference >= 0 else difference + (1 << size) - 1, size)

    def _write(self, value: int, size: int) -> None:
        self._parts.append(np.array([value >> at & 1 for at in reversed(range(size))], np.uint8))


def _extended(bits: Bits, size: int) -> int:
    """The number that `size` bits stand for (ISO 10918-1 F.2.2.1)."""
    value = int("".join(map(str, bits.tolist())) or "0", 2)
    return value if not size or value >> size - 1 else value - (1 << size) + 1


def _code(table: HuffmanTable, symbol: int) -> tuple[int, int]:
    if symbol not in table.codes:
        raise NotSequential
    return table.codes[symbol]


def _stuffed(parts: Sequence[Bits]) -> bytes:
    """Bits as bytes, filled up with ones, a zero behind each FF."""
    bits = np.concatenate(parts)
    filled = np.concatenate([bits, np.ones(-len(bits) % 8, np.uint8)])
    return np.packbits(filled).tobytes().replace(b"\xff", b"\xff\0")
