"""The images of an archive, for destinations that take images: what each is, its bytes, and which of them are sent.

What a destination has confirmed stands in a file beside the archive, so that a worker that takes over from a killed one
goes on with the next image. An archive of other bytes has a place of its own, and so no such file.
"""

from __future__ import annotations

import gzip
import os
import re
import struct
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import IO

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from sendit.durable import private
from sendit.errors import DataFault

HEAD_BYTES = 1 << 16
_KEYWORDS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """What an image of an archive is; `member` is its name there."""

    member: str
    sop_class: str
    sop_instance: str
    series: str
    study: str
    transfer_syntax: str


def images_of(archive: Path) -> list[ArchivedImage]:
    """What the archive holds, in its order. Raises DataFault("NotAnImage") where it holds something else."""
    with _opened(archive) as tar:
        return [_image(member.name, stream) for member in tar if (stream := tar.extractfile(member)) is not None]


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """Read as a stream. Each image is a gzip member of its own, and tarfile alone would stop behind the first."""
    with gzip.open(archive) as inflated, tarfile.open(fileobj=inflated, mode="r|") as tar:
        yield tar


def _image(member: str, stream: IO[bytes]) -> ArchivedImage:
    """Read as much of the image as it takes to know what it is: the pixels, which come last, may be many."""
    head = b""
    while block := stream.read(max(HEAD_BYTES, 4 * len(head))):
        head += block
        found = _uids(head)
        if found is not None:
            return ArchivedImage(member, *found)
    raise DataFault("NotAnImage")


def _uids(head: bytes) -> tuple[str, ...] | None:
    try:
        ds = dcmread(BytesIO(head), stop_before_pixels=True, specific_tags=list(_KEYWORDS))
        meta = ds.file_meta
        told = (meta.MediaStorageSOPClassUID, *(ds[keyword].value for keyword in _KEYWORDS), meta.TransferSyntaxUID)
    except (InvalidDicomError, EOFError, OSError, KeyError, AttributeError, ValueError, struct.error):
        return None  # it is cut in the middle of an element
    return tuple(map(str, told))


@contextmanager
def files_of(archive: Path, wanted: set[str]) -> Iterator[Iterator[tuple[str, Path]]]:
    """Give the wanted members of an archive one after the other, each as a file, which whoever gets it may remove.

    The files lie in a folder beside the archive, which is gone after the block.
    """
    with TemporaryDirectory(dir=archive.parent, prefix=".images-", ignore_cleanup_errors=True) as folder:
        yield _files(archive, wanted, Path(folder))


def _files(archive: Path, wanted: set[str], folder: Path) -> Iterator[tuple[str, Path]]:
    with _opened(archive) as tar:
        for number, member in enumerate(tar):
            stream = tar.extractfile(member)
            if member.name not in wanted or stream is None:
                continue
            path = folder / f"{number}.dcm"
            with open(path, "xb", opener=private) as file:
                copyfileobj(stream, file, 1 << 20)
            yield member.name, path


class Confirmed:
    """The images of an archive that a destination has confirmed, one SOP Instance UID a line.

    Parameters
    ----------
    archive : Path
    destination : str
        Its name; two destinations may take the same archive at once.
    """

    def __init__(self, archive: Path, destination: str) -> None:
        self._path = archive.with_name(f".{archive.name}.{re.sub(r'[^A-Za-z0-9.-]', '_', destination)[:100]}.sent")
        self._known = set(self._path.read_text().split("\n")[:-1]) if self._path.exists() else set()

    def __contains__(self, sop_instance: str) -> bool:
        return sop_instance in self._known

    def add(self, *sop_instances: str) -> None:
        """Remember them; a line that was cut short by a kill does not count."""
        fresh = [one for one in sop_instances if one not in self._known]
        with open(self._path, "ab", opener=private) as file:
            cut = "" if not file.tell() or self._ends_well() else "!\n"  # which makes it the UID of nothing
            file.write((cut + "".join(f"{one}\n" for one in fresh)).encode())
        self._known.update(fresh)

    def forget(self) -> None:
        """Of an archive of which images are not there after all: all of them are sent again."""
        self._path.unlink(missing_ok=True)
        self._known.clear()

    def _ends_well(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
