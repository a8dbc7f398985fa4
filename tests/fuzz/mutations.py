"""Mutations of encoded files and of recipes: seeded, so that a number names one mutant for ever."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence

UNDEFINED = b"\xff\xff\xff\xff"
LENGTHS = (0, 1, 2, 7, 8, 9, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE)
VRS = b"AEASATCSDADSDTFDFLISLOLTOBODOFOLOVOWPNSHSLSQSSSTSVTMUCUIULUNURUSUTUV??\0\0"
ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
NUMBERS = (
    0x00080005, 0x00080016, 0x00080018, 0x00080020, 0x00081140, 0x00090010, 0x00091001, 0x00100010, 0x00100020,
    0x00101002, 0x00280010, 0x00400275, 0x00420011, 0x54000100, 0x60003000, 0x7FE00008, 0x7FE00010, 0xFFFAFFFA,
    0xFFFCFFFC, 0x00020010, 0x00000000, 0xFFFFFFFF,
)  # fmt: skip
TAGS = (*(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in NUMBERS), ITEM, ITEM_END, SEQUENCE_END)
"""Tags that mean something to a reader."""
CHARACTER_SETS = (b"ISO_IR 192", b"GB18030", b"\\ISO 2022 IR 87", b"ISO_IR 100", b"nonsense", b"")
BOMB_MEGABYTES = (1, 100)


def position(chance: random.Random, data: bytearray) -> int:
    """A place in the file, more often in its first 4 KiB, where the header is."""
    end = len(data) if chance.random() < 0.25 else min(len(data), 4096)
    return chance.randrange(max(end, 1))


def flip_bits(chance: random.Random, data: bytearray) -> None:
    for _ in range(chance.choice((1, 1, 2, 4, 16, 64))):
        data[position(chance, data)] ^= 1 << chance.randrange(8)


def set_bytes(chance: random.Random, data: bytearray) -> None:
    at = position(chance, data)
    size = chance.choice((1, 2, 4, 8, 32))
    data[at : at + size] = bytes([chance.choice((0, 0xFF, 0x20, 0x5C, 0x1B, chance.randrange(256)))]) * size


def change_text(chance: random.Random, data: bytearray) -> None:
    """Other characters in the place of letters and digits, so that the structure stays."""
    for _ in range(chance.choice((1, 4, 40))):
        at = position(chance, data)
        if chr(data[at]).isalnum():
            data[at] = chance.choice(b"0123456789ABCxyz^=\\ .\x1b\x80\xe4\xff\0")


def change_character_set(chance: random.Random, data: bytearray) -> None:
    at = data.find(b"\x08\0\x05\0CS")
    if at >= 0:
        text = chance.choice(CHARACTER_SETS)
        end = at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")
        data[at + 6 : end] = struct.pack("<H", len(text) + len(text) % 2) + text + b" " * (len(text) % 2)


def truncate(chance: random.Random, data: bytearray) -> None:
    del data[position(chance, data) :]


def append(chance: random.Random, data: bytearray) -> None:
    data += bytes(chance.choice((1, 7, 8, 4096))) if chance.random() < 0.5 else data[132 : 132 + 600]


def cut_out(chance: random.Random, data: bytearray) -> None:
    at = position(chance, data)
    del data[at : at + chance.choice((1, 2, 4, 8, 12, 64, 1024))]


def repeat_part(chance: random.Random, data: bytearray) -> None:
    at, size = position(chance, data), chance.choice((2, 8, 12, 64, 512))
    data[at:at] = data[at : at + size] * chance.choice((1, 1, 2, 50))


def move_part(chance: random.Random, data: bytearray) -> None:
    at, size = position(chance, data), chance.choice((8, 12, 64, 512))
    part = bytes(data[at : at + size])
    del data[at : at + size]
    to = position(chance, data)
    data[to:to] = part


def lie_about_length(chance: random.Random, data: bytearray) -> None:
    """Behind a VR, in short or long form."""
    at = _vr_position(chance, data)
    size = chance.choice(LENGTHS)
    if chance.random() < 0.4:
        data[at + 2 : at + 4] = struct.pack("<H", size & 0xFFFF)
    else:
        data[at + 4 : at + 8] = UNDEFINED if chance.random() < 0.4 else struct.pack("<I", size)


def swap_vr(chance: random.Random, data: bytearray) -> None:
    at, pick = _vr_position(chance, data), chance.randrange(len(VRS) // 2) * 2
    data[at : at + 2] = VRS[pick : pick + 2]


def swap_tag(chance: random.Random, data: bytearray) -> None:
    at = max(_vr_position(chance, data) - 4, 0)
    data[at : at + 4] = chance.choice(TAGS)


def swap_elements(chance: random.Random, data: bytearray) -> None:
    """Two neighbours in explicit short form, exchanged: tags out of order."""
    at = _vr_position(chance, data) - 4
    if at >= 0:
        first = 8 + int.from_bytes(data[at + 6 : at + 8], "little")
        second = 8 + int.from_bytes(data[at + first + 6 : at + first + 8], "little")
        part = data[at : at + first + second]
        data[at : at + first + second] = part[first:] + part[:first]


def insert_mark(chance: random.Random, data: bytearray) -> None:
    """An item's or a delimiter's tag with some length."""
    at = position(chance, data)
    size = UNDEFINED if chance.random() < 0.5 else struct.pack("<I", chance.choice((0, 0, 8, *LENGTHS)))
    data[at:at] = chance.choice((ITEM, ITEM_END, SEQUENCE_END)) + size


SEQUENCES = (b"\x08\0\x40\x11SQ\0\0" + UNDEFINED, b"\x08\0\x40\x11" + UNDEFINED, b"\x09\0\x40\x11UN\0\0" + UNDEFINED)


def nest_deep(chance: random.Random, data: bytearray) -> None:
    """A sequence in a sequence in a sequence, before an element or anywhere; in order or not, closed or not."""
    at = _vr_position(chance, data) - 4 if chance.random() < 0.7 else position(chance, data)
    depth = chance.choice((1, 5, 20, 63, 64, 65, 500, 5000))
    after = chance.choice((b"", b"\x08\0\x18\0UI\0\0"))
    tail = (after + ITEM_END + bytes(4) + SEQUENCE_END + bytes(4)) * (depth if chance.random() < 0.7 else 0)
    data[max(at, 0) : max(at, 0)] = (chance.choice(SEQUENCES) + ITEM + UNDEFINED) * depth + tail


def count_high(chance: random.Random, data: bytearray) -> None:
    """Thousands of empty items, elements or fragments."""
    at, count = position(chance, data), chance.choice((100, 3000))
    part = chance.choice((ITEM + bytes(4), b"\x08\0\x18\0UI\0\0", ITEM + UNDEFINED + ITEM_END + bytes(4), bytes(8)))
    head = chance.choice((b"", SEQUENCES[0]))
    data[at:at] = head + part * count + (SEQUENCE_END + bytes(4) if head else b"")


def _short(tag: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + struct.pack("<H", len(value)) + value


HEAPS: tuple[tuple[int, Callable[[int], bytes]], ...] = (
    (0x00089121, lambda n: _short(0x00510000 + (n << 17 & 0xFF0000) | (n & 0xFFFF), b"SH", b"abcd")),
    (0x00101002, lambda n: _short(0x00100020, b"LO", b"MRN-%d" % n)),
    (0x00101002, lambda n: _short(0x00100010, b"PN", b"Zqname%d^Zqother" % n)),
    (0x00081140, lambda n: _short(0x00081030, b"LO", b"%d axial, seen by Dr. Brzoza on 12.3.2011" % n)),
    (0x00081140, lambda n: _short(0x00080022, b"DA", b"%04d0617" % (n % 9999))),
    (0x00081140, lambda n: _short(0x00081155, b"UI", b"1.2.%d" % n)),
    (0x00081140, lambda n: _short(0x00080060, b"CS", b"W%d" % n)),
    (0x00081140, lambda n: _short(0x00080005, b"CS", CHARACTER_SETS[n % 6]) + _short(0x00081030, b"LO", b"%d" % n)),
    (0x00081140, lambda n: _short(0x00200013, b"IS", b"%d" % n) + _short(0x00080060, b"CS", b"CT")),
    (0x0040A730, lambda n: _short(0x0040A040, b"CS", b"TEXT") + _short(0x0040A160, b"LT", b"lesion %d" % n)),
    (0x52009230, lambda n: _short(0x00200032, b"DS", b"%d\\-120.5\\7" % n)),
)
"""Sequences, and what their item of a number holds: each thing that a budget counts."""


def heap_up(chance: random.Random, data: bytearray) -> None:
    """A well-formed sequence of many different items, between two elements of an explicit dataset."""
    at = next((found for tag in (b"\x20\0\x0d\0UI", b"\x08\0\x60\0CS") if (found := data.find(tag)) >= 0), -1)
    if at < 0:
        return
    sequence, content = chance.choice(HEAPS)
    count = chance.choice((50, 50, 50, 50, 500, 500, 3000, 30_000) if chance.random() < 0.2 else (20, 200))
    items = b"".join(ITEM + struct.pack("<I", len(one)) + one for one in map(content, range(count)))
    head = struct.pack("<HH", sequence >> 16, sequence & 0xFFFF) + b"SQ\0\0"
    if chance.random() < 0.5:
        data[at:at] = head + struct.pack("<I", len(items)) + items
    else:
        data[at:at] = head + UNDEFINED + items + SEQUENCE_END + bytes(4)


def inflate_bomb(chance: random.Random, data: bytearray) -> None:
    """Zeros without end in the place of a deflated dataset."""
    at = data.find(b"1.2.840.10008.1.2.1.99")
    if at >= 0:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        zeros = bytes(1 << 20)
        bomb = b"".join(deflate.compress(zeros) for _ in range(chance.choice(BOMB_MEGABYTES))) + deflate.flush()
        data[chance.choice((at + 22, position(chance, data))) :] = bomb


def _vr_position(chance: random.Random, data: bytearray) -> int:
    """Where two capital letters stand that may be a VR, from a random place on; that place if there are none."""
    at = position(chance, data)
    for pos in range(at, min(at + 400, len(data) - 1)):
        pair = VRS.find(bytes(data[pos : pos + 2]))
        if pair >= 0 and pair % 2 == 0:
            return pos
    return at


def spoil_csa(chance: random.Random, data: bytearray) -> None:
    """In a CSA header: a count, a length or a mark that lies, or a value that is another."""
    begin = data.find(b"SV10\4\3\2\1")
    if begin < 0:
        return
    place = chance.choice((8, 12, 16 + 76, 16 + 80, 16 + 84, 16 + 88))
    field = data.find(chance.choice((b"SliceNormalVector\0", b"MosaicRefAcqTimes\0", b"MrPhoenixProtocol\0")), begin)
    at = (field - 16 if field >= 0 and chance.random() < 0.7 else begin) + place
    if chance.random() < 0.7:
        data[at : at + 4] = struct.pack("<I", chance.choice(LENGTHS))
    else:
        text = chance.choice((b"Zqcanary", b"19630417", b"-1e999", b"nan", b"\xff" * 8, b"0x7FFFFFFF"))
        data[at + 16 : at + 16 + len(text)] = text


def spoil_pixels(chance: random.Random, data: bytearray) -> None:
    """In a codestream or behind it: a segment, a marker, a length or an item that should not be there."""
    begin = max(data.find(b"\xe0\x7f\x10\0"), 0)
    markers = [
        at for at in (data.find(mark, begin) for mark in (b"\xff\xd8", b"\xff\x4f", b"\xff\x90", ITEM)) if at >= 0
    ]
    at = chance.choice(markers) if markers else begin
    comment = b"\xff\xfe\0\x0aZqcanary"
    match chance.randrange(5):
        case 0:
            data[at + 2 : at + 2] = chance.choice((comment, b"\xff\xe1" + comment[2:], b"\xff\x64\0\x0c\0\1Zqcanary"))
        case 1:
            data[at + 4 : at + 6] = struct.pack(">H", chance.choice(LENGTHS) & 0xFFFF)
        case 2:
            at = min(at + chance.randrange(64), len(data) - 1)
            data[at] = chance.choice((0xFF, 0xD9, 0xDA, 0xD0, 0x93))
        case 3:
            data[at:at] = ITEM + struct.pack("<I", 8) + b"Zqcanary"
        case _:
            end = data.find(SEQUENCE_END, at)
            data[end:end] = chance.choice((b"Zqcanary", ITEM + struct.pack("<I", 8) + b"Zqcanary"))


MUTATIONS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    flip_bits, set_bytes, change_text, change_text, change_text, change_character_set, truncate, append, cut_out,
    repeat_part, move_part, lie_about_length, lie_about_length, swap_vr, swap_tag, swap_elements, swap_elements,
    insert_mark, nest_deep, count_high, heap_up, inflate_bomb, spoil_csa, spoil_csa, spoil_pixels, spoil_pixels,
)  # fmt: skip


def mutated(number: int, files: Sequence[bytes]) -> bytes:
    """The mutated file of that number; one in twenty has the end of another file."""
    chance = random.Random(number)
    data = bytearray(chance.choice(files))
    if chance.random() < 0.05:
        other = bytearray(chance.choice(files))
        data[position(chance, data) :] = other[position(chance, other) :]
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if data:
            chance.choice(MUTATIONS)(chance, data)
    return bytes(data)


# ------------------------------------------------------------------------------------------------- recipes

SIGNS = ':"()%#\\|*+?[]{}^$.,;=\t\v\0\x1b\u0130é\ud800 _0A'


def mutated_text(number: int, texts: Sequence[str]) -> str:
    """The mutated recipe of that number: lines cut, doubled and exchanged, words shuffled, characters changed."""
    chance = random.Random(number)
    lines = chance.choice(texts).splitlines()
    for _ in range(chance.choice((1, 2, 5))):
        at = chance.randrange(len(lines))
        other = chance.choice(chance.choice(texts).splitlines())
        lines[at : at + 1] = _mutated_line(chance, lines[at], other)
        lines = lines or [""]
    return "\n".join(lines)


def _mutated_line(chance: random.Random, line: str, other: str) -> list[str]:
    at = chance.randrange(len(line) + 1)
    match chance.randrange(6):
        case 0:
            return []
        case 1:
            return [line, other]
        case 2:
            return [line[:at] + other[chance.randrange(len(other) + 1) :]]
        case 3:
            return [" ".join(chance.sample(words := line.split(" "), len(words)))]
        case 4:
            return [line[:at] + line[at + 1 :]]
        case _:
            return [line[:at] + chance.choice(SIGNS) * chance.choice((1, 1, 30)) + line[at:]]
