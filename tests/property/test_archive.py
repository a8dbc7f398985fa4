"""Any images, in any pieces, come out of the archive as they went in."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sendit.pipeline.stages.archive import ArchiveWriter, read_member
from tests.support.chunks import Chunks

SIZES = st.one_of(st.sampled_from([0, 1, 511, 512, 513, 1023, 1024, 1025, 1_048_576, 1_048_577]), st.integers(0, 5_000))
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=150).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 250
)


@st.composite
def images(draw: st.DrawFn) -> dict[str, list[bytes]]:
    """Names, and contents in pieces."""
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    pattern = draw(st.binary(min_size=1, max_size=64))
    result = {}
    for name in names:
        content = (pattern * (1_048_577 // len(pattern) + 1))[: draw(SIZES)]
        cut = draw(st.integers(len(content) // 2_000 + 1, len(content) + 1))
        result[name] = [content[start : start + cut] for start in range(0, len(content), cut)]
    return result


@settings(max_examples=60, deadline=None)
@given(images(), st.data())
def test_what_goes_in_comes_out_every_way(images: dict[str, list[bytes]], data: st.DataObject) -> None:
    expected = {name: b"".join(chunks) for name, chunks in images.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tar.gz"
        with ArchiveWriter(path, "top") as writer:
            members = []
            for name, chunks in images.items():
                size = len(expected[name])
                compressed_from = data.draw(st.none() | st.integers(0, size))
                members.append(writer.add(name, size, Chunks(chunks), compressed_from))
            writer.close()
        whole = path.read_bytes()
        with tarfile.open(path) as tar:
            found = {e.name.removeprefix("top/"): tar.extractfile(e).read() for e in tar if e.isfile()}  # type: ignore[union-attr]
        assert found == expected
        for member in members:
            name, content = read_member(
                lambda offset, length: whole[offset : offset + length], member.offset, member.length
            )
            assert (name, content) == (member.name, expected[member.name])
        subprocess.run(["tar", "xzf", path, "-C", folder], check=True)
        assert {each.name: each.read_bytes() for each in (Path(folder) / "top").iterdir()} == expected
