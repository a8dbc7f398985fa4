"""Deliveries compared with their signed statements, offline: archives, reports, and images taken out of archives.

Everything that is read here is untrusted, the statement too. What does not agree is named.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path

from sendit.errors import DataFault
from sendit.papers.members import image_sha256
from sendit.papers.signing import PublicKey
from sendit.papers.statement import REPORTED, SUFFIX, NotAStatement, Statement, Subject, read

ARCHIVE, REPORTS, IMAGE = ".tar.gz", (".report.json", ".report.html"), ".dcm"
GZIP_HEADER_BYTES = 10
LARGEST_STATEMENT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found out about one delivery: the name of its archive, and all that does not agree."""

    name: str
    images: int = 0
    """That are here and are what was signed."""
    key_id: str = ""
    problems: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything that is here is what was signed."""
        return not self.problems


def verify(path: Path, keys: Iterable[PublicKey]) -> Iterator[Verified]:
    """Yield what was found out about an archive, or about every delivery below a folder. Raises OSError."""
    trusted = tuple(keys)
    if path.is_dir():
        yield from _folder(path, trusted)
    else:
        yield _delivery(path.with_name(_stem(path)), path.parent, trusted)[0]


def _stem(path: Path) -> str:
    """Return what the names of an archive and of all that belongs to it begin with."""
    for end in (ARCHIVE, f".{SUFFIX}", *REPORTS):
        if path.name.endswith(end):
            return path.name.removesuffix(end)
    return path.name


def _folder(folder: Path, keys: tuple[PublicKey, ...]) -> Iterator[Verified]:
    stems = {path.with_name(_stem(path)) for end in (ARCHIVE, f".{SUFFIX}") for path in folder.rglob(f"*{end}")}
    loose = _Loose(folder)
    for stem in sorted(stems):
        found, statement = _delivery(stem, folder, keys, needs_archive=False)
        if statement is not None:
            found = loose.compare(found, statement)
            if not (found.images or found.problems):
                found = replace(found, problems=("neither the archive nor an image of it is here",))
        yield found
    yield from loose.unnamed()


def _delivery(
    stem: Path, folder: Path, keys: tuple[PublicKey, ...], *, needs_archive: bool = True
) -> tuple[Verified, Statement | None]:
    name = f"{stem.relative_to(folder)}{ARCHIVE}"
    archive = _beside(stem, ARCHIVE)
    try:
        with _beside(stem, f".{SUFFIX}").open("rb") as stream:
            statement = read(stream.read(LARGEST_STATEMENT_BYTES), keys)
    except FileNotFoundError:
        return Verified(name, problems=("it has no statement",)), None
    except NotAStatement as damaged:
        return Verified(name, problems=(f"the statement is damaged: {damaged}",)), None
    problems = [f"statement: {problem}" for problem in statement.problems]
    subjects = {subject.name: subject for subject in statement.subjects}
    problems += _reports(stem, subjects)
    if statement.problems:
        problems += _predicate(stem, statement)
    images = 0
    if archive.is_file():
        with archive.open("rb") as stream:
            different = list(_archive(stream, archive.name, statement))
        images = len(_images(statement)) - sum(one.startswith("image ") for one in different)
        problems += different
    elif needs_archive:
        problems.append("the archive is missing")
    return Verified(name, images, statement.key_id, tuple(problems)), statement


def _beside(stem: Path, end: str) -> Path:
    return stem.with_name(stem.name + end)


def _images(statement: Statement) -> list[Subject]:
    return [subject for subject in statement.subjects if subject.offset is not None]


# ---------------------------------------------------------------------------------------------- an archive


@dataclass(frozen=True, slots=True)
class _File:
    """A file's bytes by their place."""

    stream: BufferedReader

    def read(self, offset: int, most: int, /) -> bytes:
        self.stream.seek(offset)
        found = self.stream.read(most)
        if not found:
            raise EOFError
        return found


def _archive(stream: BufferedReader, name: str, statement: Statement) -> Iterator[str]:
    """Yield what is not as it was signed: every image by its name, and the rest of the archive as a whole."""
    whole = next((one for one in statement.subjects if one.name == name), None)
    is_same = whole is not None and hashlib.file_digest(stream, "sha256").hexdigest() == whole.sha256
    source, are_well = _File(stream), True
    header = _usual_header(source, statement)
    for image in _images(statement):
        if (problem := _image(source, image, header)) is not None:
            are_well = False
            yield f"image {image.name} {problem}"
    if whole is None:
        yield "statement: subject has no archive of that name"
    elif not is_same and are_well:
        yield "the archive has other bytes than were signed, outside of its images"
    elif not is_same:
        yield "the archive has other bytes than were signed"


def _image(source: _File, image: Subject, header: bytes) -> str | None:
    assert image.offset is not None and image.length is not None
    try:
        sha256 = image_sha256(source, image.offset, image.offset + image.length)
    except (DataFault, OverflowError, ValueError, OSError):
        return "cannot be unpacked: its bytes were changed"
    if sha256 != image.sha256:
        return "is not what was signed"
    return None if _gzip_header(source, image.offset) == header else "has another gzip header than was written"


def _usual_header(source: _File, statement: Statement) -> bytes:
    """Return what nearly all gzip members begin with; nothing in it depends on the image."""
    places = (0, *(image.offset or 0 for image in _images(statement)))
    return Counter(_gzip_header(source, offset) for offset in places).most_common(1)[0][0]


def _gzip_header(source: _File, offset: int) -> bytes:
    try:
        return source.read(offset, GZIP_HEADER_BYTES)
    except (EOFError, OSError, ValueError, OverflowError):
        return b""


# ---------------------------------------------------------------------------------------------- what lies beside it


def _reports(stem: Path, subjects: Mapping[str, Subject]) -> Iterator[str]:
    """Yield which report is not the one that was signed; who has only the archive need not have them."""
    for end in REPORTS:
        report = _beside(stem, end)
        if not report.is_file():
            continue
        signed = subjects.get(report.name)
        if signed is None:
            yield f"statement: subject has no {report.name}"
        elif _sha256(report) != signed.sha256:
            yield f"the report {report.name} is not what was signed"


def _predicate(stem: Path, statement: Statement) -> Iterator[str]:
    """Yield the fields of a statement that is not trusted in which it says something else than the report."""
    report = _beside(stem, REPORTS[0])
    try:
        told = json.loads(report.read_bytes())
        yield from (
            f"statement: predicate.{field} is not what the report says"
            for field in REPORTED
            if statement.predicate.get(field) != told.get(field)
        )
    except (OSError, ValueError, AttributeError, RecursionError):
        return


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Loose:
    """Images that were taken out of archives, below a folder, by their names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left: dict[str, list[Path]] = defaultdict(list)
        self._known: set[str] = set()
        for path in sorted(folder.rglob(f"*{IMAGE}")):
            if path.is_file():
                self._left[path.name].append(path)

    def compare(self, found: Verified, statement: Statement) -> Verified:
        """Add the images that the statement names. Another part or generation may have an image of the same name."""
        count = 0
        for image in _images(statement):
            paths = self._left.get(image.name, [])
            if paths:
                self._known.add(image.name)
            same = [path for path in paths if _sha256(path) == image.sha256]
            self._left[image.name] = [path for path in paths if path not in same]
            count += len(same)
        return replace(found, images=found.images + count)

    def unnamed(self) -> Iterator[Verified]:
        """Yield what agrees with no statement."""
        for name, paths in sorted(self._left.items()):
            problem = "is not what was signed" if name in self._known else "no statement names it"
            for path in paths:
                yield Verified(str(path.relative_to(self._folder)), problems=(problem,))
