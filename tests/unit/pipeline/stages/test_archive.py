"""The archive: a tar.gz for everyone, and one ranged read for one image."""

from __future__ import annotations

import base64
import gzip
import io
import os
import random
import re
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import google_crc32c
import pytest

from sendit.errors import BrokenPromise, DataFault, ServiceDown
from sendit.pipeline.record.member import Member
from sendit.pipeline.stages import archive
from sendit.pipeline.stages.archive import ArchiveFacts, ArchiveWriter, read_member
from tests.support.chunks import Chunks

TOP = "12fa_20100209_12fb"
IMAGES = {
    f"12fb_1_{size}.dcm": random.Random(size).randbytes(size) for size in (0, 1, 511, 512, 513, 70_001, 2_500_000)
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / f"{TOP}.tar.gz"


def make(path: Path, images: dict[str, bytes] = IMAGES, cut: int = 1 << 30) -> tuple[ArchiveFacts, list[Member]]:
    with ArchiveWriter(path, TOP) as writer:
        members = [writer.add(name, len(content), Chunks(chunks(content, cut))) for name, content in images.items()]
        return writer.close(), members


def chunks(content: bytes, cut: int) -> Iterator[bytes]:
    return (content[start : start + cut] for start in range(0, len(content), cut))


def failing(after: int, error: BaseException) -> Iterator[bytes]:
    for _ in range(after):
        yield random.randbytes(1_000_000)
    raise error


def fetcher(path: Path) -> archive.Callable[[int, int], bytes]:
    return lambda offset, length: path.read_bytes()[offset : offset + length]


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}  # type: ignore[union-attr]


# ------------------------------------------------------------------------------------------------- what is in it


def test_python_reads_the_whole(path: Path) -> None:
    make(path)
    assert contents(path) == {f"{TOP}/{name}": content for name, content in IMAGES.items()}


def test_tar_unpacks_the_whole(path: Path, tmp_path: Path) -> None:
    make(path)
    done = subprocess.run(["tar", "xzf", path, "-C", tmp_path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert {each.name: each.read_bytes() for each in (tmp_path / TOP).iterdir()} == IMAGES


def test_one_ranged_read_gets_one_image(path: Path) -> None:
    _, members = make(path)
    for member, (name, content) in zip(members, IMAGES.items(), strict=True):
        assert read_member(fetcher(path), member.offset, member.length) == (name, content)


def test_the_pages_shell_line_gets_one_image_too(path: Path, tmp_path: Path) -> None:
    page = Path(__file__).parents[4] / "docs/archive.md"
    [line] = re.findall(r"```sh\n(.*?)```", page.read_text(), re.S)
    _, members = make(path)
    for member in members:
        place = {"ARCHIVE": str(path), "OFFSET": str(member.offset), "LENGTH": str(member.length)}
        subprocess.run(["sh", "-c", line], cwd=tmp_path, env={**os.environ, **place}, check=True)
        assert (tmp_path / TOP / member.name).read_bytes() == IMAGES[member.name]


def test_members_follow_each_other_between_the_top_folder_and_the_end(path: Path) -> None:
    facts, members = make(path)
    ends = [0, *(member.offset + member.length for member in members)]
    assert [member.offset for member in members[1:]] == ends[1:-1]
    whole = path.read_bytes()
    first, last = whole[: members[0].offset], whole[ends[-1] : facts.size_bytes]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(first))) as tar:
        assert [(entry.name, entry.isdir()) for entry in tar] == [(TOP, True)]
    assert gzip.decompress(last) == bytes(1024)


def test_a_member_says_what_its_image_is(path: Path) -> None:
    _, members = make(path)
    assert [(m.name, m.size_bytes, m.sha256) for m in members] == [
        (name, len(content), sha256(content).hexdigest()) for name, content in IMAGES.items()
    ]


def test_the_facts_are_those_of_the_file(path: Path) -> None:
    facts, _ = make(path)
    assert facts.size_bytes == path.stat().st_size
    assert base64.b64decode(facts.crc32c) == google_crc32c.value(path.read_bytes()).to_bytes(4, "big")


def test_nothing_of_this_machine_is_in_it(path: Path) -> None:
    make(path)
    with tarfile.open(path) as tar:
        entries = {(e.uid, e.gid, e.uname, e.gname, e.mtime, oct(e.mode)) for e in tar}
    assert entries == {(0, 0, "", "", 0, "0o755"), (0, 0, "", "", 0, "0o644")}
    flags, mtime = path.read_bytes()[3], path.read_bytes()[4:8]
    assert (flags, mtime) == (0, bytes(4))  # no name, no comment, no time


@pytest.mark.parametrize("cut", [1, 1000, 1 << 20, (1 << 20) + 1])
def test_the_same_images_make_the_same_bytes_however_they_come(path: Path, tmp_path: Path, cut: int) -> None:
    images = dict(list(IMAGES.items())[: 6 if cut == 1 else None])
    assert make(path, images) == make(tmp_path / "again", images, cut)
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


@pytest.mark.parametrize("header", [0, 1, 4096, (1 << 20) - 512, (1 << 20) - 511, 1 << 20, 2_500_000])
def test_an_image_that_is_compressed_is_stored_behind_its_header(path: Path, header: int) -> None:
    image = b"header ".ljust(header, b" ")[:header] + random.Random(7).randbytes(2_500_000 - header)
    with ArchiveWriter(path, TOP) as writer:
        members = [writer.add(name, len(image), io.BytesIO(image), header) for name in ("a", "b")]
        writer.close()
    assert contents(path) == {f"{TOP}/a": image, f"{TOP}/b": image}
    assert subprocess.run(["gzip", "-t", path], capture_output=True).returncode == 0
    for member in members:
        assert read_member(fetcher(path), member.offset, member.length) == (member.name, image)
    stored = path.read_bytes()[members[1].offset :][: members[1].length]
    assert len(stored) < len(image) - header * 0.9 + 2500
    assert image[header:][:40_000] in stored
    assert stored[:10] == path.read_bytes()[:10]  # the gzip header of the members that are compressed


@pytest.mark.parametrize("size", [99, 101])
def test_an_image_of_another_size_than_said_is_our_bug_where_it_is_stored_too(path: Path, size: int) -> None:
    with ArchiveWriter(path, TOP) as writer:
        with pytest.raises(BrokenPromise, match="ArchiveSize"):
            writer.add("a", size, io.BytesIO(bytes(100)), 50)
        writer.add("a", 100, io.BytesIO(bytes(100)), 50)
        writer.close()
    assert contents(path) == {f"{TOP}/a": bytes(100)}


@pytest.mark.parametrize("name", ["x" * 300 + ".dcm", "Bild größer.dcm", "x" * (99 - len(TOP)), "x" * (100 - len(TOP))])
def test_long_and_foreign_names_are_kept(path: Path, name: str) -> None:
    _, [member] = make(path, {name: b"image"})
    assert contents(path) == {f"{TOP}/{name}": b"image"}
    assert read_member(fetcher(path), member.offset, member.length) == (name, b"image")


@pytest.mark.parametrize("size", [(8 << 30) - 1, 8 << 30, 3 << 40])
def test_a_header_holds_any_size(size: int) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive._file_header(f"{TOP}/a.dcm", size))) as tar:
        entry = tar.next()
    assert entry is not None and (entry.name, entry.size) == (f"{TOP}/a.dcm", size)


# ------------------------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    "error", [DataFault("Truncated"), KeyboardInterrupt(), OSError(5, "")], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("after", [0, 1, 5])
def test_an_image_that_fails_leaves_no_trace(path: Path, tmp_path: Path, after: int, error: BaseException) -> None:
    with ArchiveWriter(path, TOP) as writer:
        writer.add("a", 3, io.BytesIO(b"one"))
        with pytest.raises(type(error)):
            writer.add("bad", 10_000_000, Chunks(failing(after, error)))
        writer.add("b", 3, io.BytesIO(b"two"))
        facts = writer.close()
    assert facts == make(tmp_path / "without", {"a": b"one", "b": b"two"})[0]
    assert path.read_bytes() == (tmp_path / "without").read_bytes()


@pytest.mark.parametrize("size", [0, 2, 4, 1_000_000])
def test_an_image_of_another_size_than_said_is_our_bug(path: Path, size: int) -> None:
    with ArchiveWriter(path, TOP) as writer:
        with pytest.raises(BrokenPromise, match="ArchiveSize"):
            writer.add("a", size, io.BytesIO(b"one"))
        writer.add("a", 3, io.BytesIO(b"one"))
        writer.close()
    assert contents(path) == {f"{TOP}/a": b"one"}


@pytest.mark.parametrize("name", ["taken", "", ".", "..", "a/b", "/a", "a\0b"])
def test_a_name_that_would_overwrite_or_lead_elsewhere_is_our_bug(path: Path, name: str) -> None:
    with ArchiveWriter(path, TOP) as writer:
        writer.add("taken", 3, io.BytesIO(b"one"))
        with pytest.raises(BrokenPromise, match="ArchiveName"):
            writer.add(name, 3, io.BytesIO(b"two"))
        writer.close()
    assert contents(path) == {f"{TOP}/taken": b"one"}


def test_there_is_no_archive_until_it_is_closed(path: Path) -> None:
    with ArchiveWriter(path, TOP) as writer:
        writer.add("a", 3, io.BytesIO(b"one"))
        assert not path.exists()
    assert list(path.parent.iterdir()) == []


def test_an_archive_replaces_the_one_before_whole(path: Path) -> None:
    path.write_bytes(b"before")
    with ArchiveWriter(path, TOP) as writer:
        writer.add("a", 3, io.BytesIO(b"one"))
        assert path.read_bytes() == b"before"
        writer.close()
    assert contents(path) == {f"{TOP}/a": b"one"}
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_a_killed_writer_left_is_removed(path: Path) -> None:
    left = path.with_name(f".{path.name}.0123456789abcdef.tmp")
    left.write_bytes(b"left")
    other = path.with_name(".other.tar.gz.0123456789abcdef.tmp")
    other.write_bytes(b"another archive's")
    make(path)
    assert (left.exists(), other.exists()) == (False, True)


def test_only_the_owner_reads_it(path: Path) -> None:
    make(path)
    assert path.stat().st_mode & 0o777 == 0o600


FULL_DISK = """
import io, random, resource, signal, sys
from pathlib import Path
from sendit.errors import ServiceDown
from sendit.pipeline.stages.archive import ArchiveWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
with ArchiveWriter(Path(sys.argv[1]), "top") as writer:
    writer.add("a", 2_000_000, io.BytesIO(random.randbytes(2_000_000)))
    try:
        writer.add("b", 2_000_000, io.BytesIO(random.randbytes(2_000_000)))
    except ServiceDown as error:
        print(error.code, error.subject)
    writer.add("c", 3, io.BytesIO(b"end"))
    writer.close()
"""


def test_a_disk_that_takes_no_more_leaves_what_was_good(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, env=environment())
    assert done.stdout == "DiskRefused archive, EFBIG\n", done.stderr
    assert list(contents(path)) == ["top/a", "top/c"]


def test_a_folder_that_is_not_there_is_said_without_its_name(tmp_path: Path) -> None:
    with pytest.raises(ServiceDown, match="DiskRefused") as caught:
        ArchiveWriter(tmp_path / "secret name" / "a.tar.gz", TOP)
    assert "secret" not in str(caught.value)


def test_a_member_read_at_a_wrong_place_is_no_image(path: Path) -> None:
    facts, members = make(path)
    places = [
        (0, members[0].offset),
        (members[1].offset + 1, 50),
        (members[-1].offset, 60),
        (facts.size_bytes - 20, 20),
        (0, 0),
    ]
    for offset, length in places:
        with pytest.raises(DataFault, match="NotAnImage"):
            read_member(fetcher(path), offset, length)


def test_gzips_checksum_is_verified(path: Path) -> None:
    _, [member] = make(path, {"a": b"image" * 1000})
    harmed = bytearray(path.read_bytes())
    harmed[member.offset + member.length - 6] ^= 1
    with pytest.raises(DataFault, match="NotAnImage"):
        read_member(lambda offset, length: bytes(harmed[offset : offset + length]), member.offset, member.length)


LARGE = """
import io, resource, sys
from pathlib import Path
from sendit.pipeline.stages.archive import ArchiveWriter
def used(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
chunk = bytes(range(256)) * 4096
class Large(io.RawIOBase):
    left = len(chunk) * 200
    def readinto(self, buffer):
        count = min(self.left, len(buffer))
        self.left -= count
        return count
with ArchiveWriter(Path(sys.argv[1]), "top") as writer:
    writer.add("small", len(chunk), io.BytesIO(chunk))
    before = used()
    writer.add("large", len(chunk) * 200, Large())
    writer.close()
print(used() - before)
"""


def test_a_large_image_is_not_held_in_memory(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LARGE, path], capture_output=True, text=True, env=environment())
    assert int(done.stdout) < 8_000, done.stderr  # KiB, of 200 MiB
    with gzip.open(path) as stream:
        assert sum(len(block) for block in iter(lambda: stream.read(1 << 20), b"")) > 200 << 20


def test_igzip_and_zlib_agree(path: Path) -> None:
    _, members = make(path)
    whole = path.read_bytes()
    inflated = b"".join(zlib.decompress(whole[m.offset : m.offset + m.length], 31) for m in members)
    assert len(inflated) % 512 == 0


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
