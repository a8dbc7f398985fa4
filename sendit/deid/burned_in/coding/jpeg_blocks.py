"""Blanking blocks of a sequential JPEG frame without decoding it: all other coefficients stay, bit by bit.

The entropy-coded bits of a block that stays are copied. Only the first DC difference behind a blanked block is another
one, because it is told against what is black now. Headers and tables are the frame's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sendit.deid.burned_in.coding.jpeg_frame import (
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
WINDOWS = 1 << LONGEST_CODE
END_OF_BLOCK = 0
BLOCK_ENDS = 1 << 16
MOST_TOGETHER = 4
"""Symbols that are looked up at once."""
COEFFICIENTS = BLOCK * BLOCK


@dataclass(frozen=True, slots=True)
class HuffmanTable:
    """A table of DHT: what each 16 bits begin with, and the code of each symbol.

    Parameters
    ----------
    lookup : list of int
        For 16 bits: the symbol, 256 times the bits of its code and of the number behind it; 0 where there is no code.
    runs : list of int
        For 16 bits, as AC coefficients: the bits of all whole symbols in them, 256 times how many coefficients these
        are, and BLOCK_ENDS if the last of them ends the block; 0 where not one is whole.
    codes : mapping of int to str
        The code of each symbol, in zeros and ones.
    """

    lookup: list[int]
    runs: list[int]
    codes: Mapping[int, str]


@lru_cache(maxsize=64)
def huffman_table(counts: bytes, symbols: bytes) -> HuffmanTable:
    """Return the table that a DHT segment describes (ISO 10918-1 Annex C)."""
    lookup, codes = np.zeros(WINDOWS, np.int64), dict[int, str]()
    code, at = 0, 0
    for length, count in enumerate(counts, start=1):
        for symbol in symbols[at : at + count]:
            first, span = code << LONGEST_CODE - length, 1 << LONGEST_CODE - length
            if first + span > WINDOWS:
                raise NotSequential
            lookup[first : first + span] = (length + (symbol & 15)) << 8 | symbol
            codes.setdefault(symbol, format(code, f"0{length}b"))
            code += 1
        at += count
        code <<= 1
    return HuffmanTable(lookup.tolist(), _runs(lookup).tolist(), codes)


def _runs(lookup: NDArray[np.int64]) -> NDArray[np.int64]:
    """The whole symbols of AC coefficients in each 16 bits, taken together."""
    bits, symbol = lookup >> 8, lookup & 0xFF
    is_end = (symbol == END_OF_BLOCK) & (lookup > 0)
    single = np.where(bits <= LONGEST_CODE, bits, 0)
    count = np.where(is_end, 0, (symbol >> 4) + 1)
    total, coefficients, ended = single.copy(), np.where(single > 0, count, 0), is_end & (single > 0)
    windows = np.arange(WINDOWS)
    for _ in range(MOST_TOGETHER - 1):
        rest = windows << total & WINDOWS - 1
        more = (single[rest] > 0) & (total > 0) & ~ended & (total + single[rest] <= LONGEST_CODE)
        more &= coefficients + count[rest] < COEFFICIENTS
        total += np.where(more, single[rest], 0)
        coefficients += np.where(more, count[rest], 0)
        ended |= more & is_end[rest]
    return np.asarray(total | coefficients << 8 | np.where(ended, BLOCK_ENDS, 0))


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
    return CodedComponent(number, component, dc, ac, dc_of(black[number], quantization))


def dc_of(value: int, quantization: int) -> int:
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
        padded = np.frombuffer(plain + b"\xff" * 8, np.uint8).astype(np.int64)
        self._bits = np.unpackbits(np.frombuffer(plain, np.uint8))
        self._windows: list[int] = (padded[:-2] << 16 | padded[1:-1] << 8 | padded[2:]).tolist()
        self._scan = scan
        self._parts: list[Bits | str] = []
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
                position, difference, dc_end = self._block(start, part)
                true[place] = before + difference
                if not is_blank:
                    if said[place] != before:
                        self._copy_to(start)
                        self._parts.append(_dc(true[place] - said[place], part))
                        self._copied = dc_end
                    said[place] = true[place]
            if is_blank:
                self._copy_to(begin)
                for place, part in blocks:
                    self._parts.append(_dc(part.black - said[place], part) + _code(part.ac, END_OF_BLOCK))
                    said[place] = part.black
                self._copied = position
            elif mcu > last:
                break  # from here on all is told against what it was told against
        self._parts.append(self._bits[self._copied :])
        return _stuffed(self._parts)

    def _block(self, position: int, part: CodedComponent) -> tuple[int, int, int]:
        """Where a block ends, its DC difference, and where that ends."""
        windows = self._windows
        try:
            found = part.dc.lookup[windows[position >> 3] >> 8 - (position & 7) & 0xFFFF]
            size = found & 15
            position += found >> 8
            if not found or size > 11:
                raise NotSequential
            at = position - size
            value = windows[at >> 3] >> 24 - (at & 7) - size & (1 << size) - 1
            difference = value if not size or value >> size - 1 else value - (1 << size) + 1
            return self._behind_ac(position, part.ac), difference, position
        except IndexError:
            raise NotSequential from None

    def _behind_ac(self, position: int, table: HuffmanTable) -> int:
        """Where the AC coefficients that begin at a position end."""
        windows, runs, count = self._windows, table.runs, 1
        while count < COEFFICIENTS:
            window = windows[position >> 3] >> 8 - (position & 7) & 0xFFFF
            found = runs[window]
            after = count + (found >> 8 & 0xFF)
            if found and after < COEFFICIENTS:
                position += found & 0xFF
                count = after
                if found & BLOCK_ENDS:
                    break
                continue
            one = table.lookup[window]  # the block may end without saying so: symbol by symbol
            position += one >> 8
            if not one:
                raise NotSequential
            if not one & 0xFF:
                break
            count += (one >> 4 & 15) + 1
        if count > COEFFICIENTS or position > len(self._bits):
            raise NotSequential
        return position

    def _copy_to(self, position: int) -> None:
        self._parts.append(self._bits[self._copied : position])
        self._copied = position


def _dc(difference: int, part: CodedComponent) -> str:
    """The bits of a DC difference (ISO 10918-1 F.1.2.1)."""
    size = abs(difference).bit_length()
    value = difference if difference >= 0 else difference + (1 << size) - 1
    return _code(part.dc, size) + (format(value, f"0{size}b") if size else "")


def _code(table: HuffmanTable, symbol: int) -> str:
    if symbol not in table.codes:
        raise NotSequential
    return table.codes[symbol]


def _stuffed(parts: Sequence[Bits | str]) -> bytes:
    """Bits as bytes, filled up with ones, a zero behind each FF."""
    bits = np.concatenate([_bits(part) for part in parts])
    filled = np.concatenate([bits, np.ones(-len(bits) % 8, np.uint8)])
    return np.packbits(filled).tobytes().replace(b"\xff", b"\xff\0")


def _bits(part: Bits | str) -> Bits:
    return np.frombuffer(part.encode(), np.uint8) - 48 if isinstance(part, str) else part
