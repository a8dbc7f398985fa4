"""Images out of archives by ranged reads, into `patient/study/series/`, for all who may read warehouse and store.

A file has its name once it is whole and has the SHA-256 that the warehouse gives, so a download that was stopped can
go on where it was. Images that lie side by side in an archive are fetched together.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from sendit.durable import disk, draft_of, sweep_drafts
from sendit.errors import BrokenPromise, DataFault, Misconfigured, SenditError
from sendit.papers.members import image_blocks
from sendit.ports import ObjectStore, Warehouse

AHEAD_BYTES = 4 << 20
"""How much is fetched at a time."""
KEYS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "CodedAccessionNumberID", "CodedPatientID")
"""Columns that choose images, from the one that says most."""
MOST_NAMED = 500
"""The most values of a list that one question has."""
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")
_COLUMNS = (
    "i.CodedPatientID, i.CodedAccessionNumberID, i.SeriesInstanceUID, i.object_name, i.member, i.offset, i.length,"
    " i.size_bytes, i.sha256"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One image: where it goes, below the target folder, and where its gzip member is."""

    path: Path
    object_name: str
    offset: int
    length: int
    size_bytes: int
    sha256: str

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one image: `error` is None where the file is there, which it was before if not `is_new`."""

    wanted: Wanted
    is_new: bool = False
    error: SenditError | None = None


# ---------------------------------------------------------------------------------------------- what is wanted


def chosen_by(warehouse: Warehouse, untrusted_sql: str) -> list[Wanted]:
    """Return the images that the rows of a SELECT name in a column of `KEYS`.

    Raises
    ------
    Misconfigured
        `BadQuery`: the statement cannot be run, or has no such column.
    """
    inner = untrusted_sql.strip().rstrip(";")
    columns = warehouse.query(f"SELECT * FROM (\n{inner}\n) AS chosen LIMIT 0").columns
    key = _key_among(columns)
    return _wanted(warehouse, f"{key} IN (SELECT {key} FROM (\n{inner}\n) AS chosen)")


def named_by(warehouse: Warehouse, table: Sequence[dict[str, str]]) -> list[Wanted]:
    """Return the images that a manifest's rows name, as the web's series browser writes it.

    Raises
    ------
    Misconfigured
        `BadQuery`: the manifest has no column of `KEYS`, or a value in it is no UID or pseudonym.
    """
    key = _key_among(tuple(table[0]) if table else ())
    values = sorted({row[key] for row in table})
    if not all(_PLAIN.fullmatch(value or "") for value in values):
        raise Misconfigured("BadQuery", subject=f"a value of {key} is no UID or pseudonym")
    found = []
    for begin in range(0, len(values), MOST_NAMED):
        names = ", ".join(f"'{value}'" for value in values[begin : begin + MOST_NAMED])
        found += _wanted(warehouse, f"{key} IN ({names})")
    return found


def _key_among(columns: Sequence[str]) -> str:
    for key in KEYS:
        if key in columns:
            return key
    raise Misconfigured("BadQuery", subject=f"select one of {', '.join(KEYS)}")


def _wanted(warehouse: Warehouse, condition: str) -> list[Wanted]:
    sql = f"SELECT {_COLUMNS} FROM instance AS i WHERE i.{condition} ORDER BY i.object_name, i.offset"
    rows = warehouse.query(sql).rows
    return [_of_row(*map(str, row)) for row in rows]


def _of_row(
    patient: str, study: str, series: str, name: str, member: str, offset: str, length: str, size: str, sha256: str
) -> Wanted:
    if not all(map(_PLAIN.fullmatch, (patient, study, series, member))):
        raise BrokenPromise("ObjectName")
    return Wanted(Path(patient, study, series, member), name, int(offset), int(length), int(size), sha256)


# ---------------------------------------------------------------------------------------------- fetching


def download(store: ObjectStore, images: Iterable[Wanted], out: Path) -> Iterator[Fetched]:
    """Bring images, sorted by archive and place, into `out`, and say of each what became of it.

    Raises
    ------
    ServiceDown
        `NoSpace`, `DiskRefused`, or the store is away: repeat the call later, and it goes on.
    """
    for _, of_archive in groupby(images, key=lambda image: image.object_name):
        yield from _from_archive(store, list(of_archive), out)


def _from_archive(store: ObjectStore, images: Sequence[Wanted], out: Path) -> Iterator[Fetched]:
    missing = [image for image in images if not _is_there(image, out)]
    there = {image.path for image in images} - {image.path for image in missing}
    yield from (Fetched(image) for image in images if image.path in there)
    for run in _side_by_side(missing):
        ahead = ReadAhead(store, run[0].object_name, run[-1].end)
        for image in run:
            yield _fetched(ahead, image, out)


def _is_there(image: Wanted, out: Path) -> bool:
    path = out / image.path
    with disk("download"):
        if not path.is_file() or path.stat().st_size != image.size_bytes:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == image.sha256


def _side_by_side(images: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    """Group images whose members follow each other in the archive."""
    run: list[Wanted] = []
    for image in images:
        if run and image.offset != run[-1].end:
            yield run
            run = []
        run.append(image)
    if run:
        yield run


def _fetched(ahead: ReadAhead, image: Wanted, out: Path) -> Fetched:
    path = out / image.path
    with disk("download"):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_drafts(path)
        draft = draft_of(path)
    try:
        with disk("download"), open(draft, "xb") as stream:
            digest = _unpack(ahead, image, stream)
        if digest != image.sha256:
            return Fetched(image, error=DataFault("NotAnImage"))
        with disk("download"):
            os.replace(draft, path)
    except DataFault as error:
        return Fetched(image, error=error)
    finally:
        draft.unlink(missing_ok=True)
    return Fetched(image, is_new=True)


def _unpack(ahead: ReadAhead, image: Wanted, target: BinaryIO) -> str:
    """Copy the image's bytes and return their SHA-256."""
    digest = hashlib.sha256()
    for block in image_blocks(ahead, image.offset, image.end):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()


class ReadAhead:
    """Reads of one object that follow each other, each fetched with what stands behind it, up to `end`."""

    def __init__(self, store: ObjectStore, name: str, end: int) -> None:
        self._store, self._name, self._end = store, name, end
        self._begin, self._held = 0, b""

    def read(self, offset: int, most: int) -> bytes:
        """Return up to `most` bytes from `offset`, at least one before `end`."""
        if not self._begin <= offset < self._begin + len(self._held):
            self._held = self._store.read(self._name, offset, min(AHEAD_BYTES, self._end - offset))
            self._begin = offset
        begin = offset - self._begin
        return self._held[begin : begin + most]
