"""What the File Metas of a series have in common is remembered; nothing that is read may change by that."""

from __future__ import annotations

import random

import pytest

from sendit.deid.stream import part_ten
from sendit.deid.stream.part_ten import PartTen, open_part_ten
from sendit.errors import DataFault
from tests.support.streams import EXPLICIT


def described(opened: PartTen) -> tuple[object, ...]:
    return opened.syntax, opened.start, opened.meta_bytes, opened.window, opened.encoded_sop_class_uid


def outcome(data: bytes) -> object:
    try:
        return described(open_part_ten(data))
    except DataFault as fault:
        return fault.code, fault.tag


@pytest.mark.parametrize("seed", range(40))
def test_what_is_remembered_of_a_file_meta_changes_nothing_of_what_is_read(seed: int) -> None:
    draw = random.Random(seed)
    meta = b"".join(
        EXPLICIT.element(0x00020000 | element, vr, value)
        for element, vr, value in (
            (2, "UI", b"1.2.840.10008.5.1.4.1.1.4\0"),
            (3, "UI", b"1.2.3." + b"4" * draw.randrange(0, 9, 2)),
            (0x10, "UI", draw.choice([b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.4.50"])),
            (0x102, "OB", b"\2\0\3\0UI\2\0"),
        )
    )
    dataset = EXPLICIT.element(0x00080005, "CS", b"ISO_IR 100") + EXPLICIT.element(0x00100010, "PN", b"A^B ")
    files = [
        bytes(128) + b"DICM" + EXPLICIT.element(0x00020000, "UL", len(meta).to_bytes(4, "little")) + meta + dataset
    ]
    for _ in range(30):
        mutant = bytearray(files[0])
        for _ in range(draw.randrange(1, 4)):
            mutant[draw.randrange(128, len(mutant))] = draw.choice([0, 2, 3, 4, 0x31, 0x55, 0x49, draw.randrange(256)])
        files.append(bytes(mutant[: draw.choice([len(mutant), draw.randrange(130, len(mutant))])]))
    part_ten._shapes.clear()
    open_part_ten(files[0])
    remembered = [outcome(data) for data in files]
    for data, found in zip(files, remembered, strict=True):
        part_ten._shapes.clear()
        assert outcome(data) == found


def test_a_file_meta_of_the_shape_of_another_is_read_with_its_own_uid() -> None:
    def file(uid: bytes) -> bytes:
        meta = EXPLICIT.element(0x00020003, "UI", uid) + EXPLICIT.element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
        length = EXPLICIT.element(0x00020000, "UL", bytes(4))
        return bytes(128) + b"DICM" + length + meta + EXPLICIT.element(0x00080005, "CS", b"ISO_IR 100")

    read = [open_part_ten(file(uid)).meta[0x00020003] for uid in (b"1.2.3.44", b"1.2.3.55", b"1.2.3.4567")]
    assert read == [b"1.2.3.44", b"1.2.3.55", b"1.2.3.4567"]
