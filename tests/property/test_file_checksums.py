"""A file's checksums are those of its bytes, whatever is read of it in whatever order, and cost no second read."""

from __future__ import annotations

import os
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sendit.pipeline.intake.file_checksums import FileChecksums
from sendit.pipeline.intake.folders import StudyFolder

READS = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 700)), max_size=12)


@given(content=st.binary(max_size=600), reads=READS)
def test_whatever_is_read_the_checksums_are_those_of_all_bytes(content: bytes, reads: list[tuple[int, int]]) -> None:
    checksums = FileChecksums()
    for offset, length in reads:
        checksums.take(offset, content[offset : offset + length])

    def readinto(offset: int, buffer: memoryview) -> int:
        piece = content[offset : offset + 100]
        buffer[: len(piece)] = piece
        return len(piece)

    assert checksums.finish(readinto) == (len(content), zlib.crc32(content), zlib.adler32(content))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(content=st.binary(min_size=1, max_size=600), reads=READS)
def test_a_file_of_a_study_makes_them_of_what_is_read_of_it(
    tmp_path: Path, content: bytes, reads: list[tuple[int, int]]
) -> None:
    (tmp_path / "image.dcm").write_bytes(content)
    with closing(StudyFolder(str(tmp_path))) as folder, closing(folder.open(folder.entries()[0])) as file:
        for offset, length in reads:
            assert file.read(offset, length) == content[offset : offset + length]
            buffer = memoryview(bytearray(length))
            assert buffer[: file.readinto(offset, buffer)] == content[offset : offset + length]
        assert file.checksums() == (len(content), zlib.crc32(content), zlib.adler32(content))


def test_what_was_read_in_order_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "image.dcm").write_bytes(content := bytes(range(256)) * 400)
    read_bytes = 0
    preadv = os.preadv

    def counted(handle: int, buffers: list[memoryview], offset: int) -> int:
        nonlocal read_bytes
        count = preadv(handle, buffers, offset)
        read_bytes += count
        return count

    monkeypatch.setattr(os, "preadv", counted)
    with closing(StudyFolder(str(tmp_path))) as folder, closing(folder.open(folder.entries()[0])) as file:
        file.read(0, 5000)
        for offset in range(3000, len(content), 50_000):  # an image's pixels begin within what was read as its header
            file.readinto(offset, memoryview(bytearray(50_000)))
        assert file.checksums() == (len(content), zlib.crc32(content), zlib.adler32(content))
    assert read_bytes == len(content) - 3000
