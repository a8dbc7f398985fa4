"""Makes finished study folders of a heap of files: looks through it, decides, then puts each file in its place.

The heap is read twice, in the same order, so that an archive is never unpacked beside its study folders. A folder is
made under a name with `.tmp` and renamed when it is complete; a run that was stopped goes on in it.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from pathlib import Path

from sendit.deid.stream.header import Header, HeaderReader, known_tag
from sendit.deid.stream.part_ten import open_part_ten
from sendit.durable import disk, locked, make_folder, sync
from sendit.errors import DataFault
from sendit.phi import Phi
from sendit.pipeline.files.heap import ArchiveRefused, HeapFile, Key, Placed, Unusable, walk
from sendit.pipeline.files.sort_plan import ImageFacts, StudyFolder, same_instance, study_folders
from sendit.pipeline.stages.identity import MEDIA_STORAGE_DIRECTORY, entity_id_of, item_id_of
from sendit.projects.project import IdentityNames

WRITING = ".tmp-sort"
"""The extension of a folder that is being made."""
LOCK = ".sendit-sort.lock"
WHERE = "the data folder"
UNREADABLE = "cannot be read"
FULL = (errno.ENOSPC, errno.EDQUOT)


class Left(StrEnum):
    """Why a file of the heap is in no study folder."""

    NOT_DICOM = "not DICOM"
    DICOMDIR = "a DICOMDIR, which is of no study"
    COPY = "an identical copy of another file"
    THERE = "already in a study folder"
    NO_STUDY = "without Study Instance UID and accession number"


NEEDS_A_LOOK = (Left.NO_STUDY,)


@dataclass(frozen=True, slots=True)
class SortedFolder:
    """What became of a study folder: how many files came into it, and how."""

    name: Phi[str]
    placed: dict[Placed, int]
    there: int
    """Files of the heap that were in it, or in an earlier folder of the study."""
    is_new: bool


@dataclass(slots=True)
class SortReport:
    """What became of a heap."""

    folders: list[SortedFolder] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    """Files in no study folder, by the reason."""
    unusable: list[Unusable] = field(default_factory=list)

    @property
    def needs_a_look(self) -> bool:
        """Whether a file may be an image and is in no study folder."""
        return bool(self.unusable) or any(self.left[why] for why in NEEDS_A_LOOK)


def sort(roots: list[Path], data: Path, names: IdentityNames) -> SortReport:
    """Make study folders in `data` of everything in `roots`, which stay as they are.

    Raises
    ------
    ServiceDown
        `NoSpace`, `DiskRefused`: the data folder cannot be written to.
    TimeoutError
        Another process sorts into the same folder.
    """
    with disk(WHERE):
        sync(*make_folder(data))
    with locked(data / LOCK, patience_seconds=0), disk(WHERE):
        return _Sorting(roots, data, names).run()


class _Sorting:
    """One run."""

    def __init__(self, roots: list[Path], data: Path, names: IdentityNames) -> None:
        self._roots, self._data = roots, data
        self._reader = _Reader(names)
        self._report = SortReport()
        status = data.stat()
        self._passed_over = frozenset({(status.st_dev, status.st_ino)})

    def run(self) -> SortReport:
        images = [facts for heap_file in self._heap(self._report.unusable) if (facts := self._facts(heap_file))]
        distinct = list(self._distinct(images))
        targets = [_Target.of(folder, self._data, self._reader) for folder in study_folders(distinct)]
        self._place({image.key: target for target in targets for image in target.missing})
        self._report.left[Left.THERE] += sum(target.there for target in targets)
        self._report.folders = [target.report() for target in targets]
        return self._report

    def _heap(self, unusable: list[Unusable]) -> Iterator[HeapFile]:
        for found in chain.from_iterable(walk(root, self._passed_over) for root in self._roots):
            if isinstance(found, Unusable):
                unusable.append(found)
            else:
                yield found

    def _facts(self, heap_file: HeapFile) -> ImageFacts | None:
        """Where an image belongs; None for what is left."""
        try:
            facts = self._reader.facts(heap_file)
        except DataFault as fault:
            if fault.code in ("NotDicom", "EmptyFile"):
                self._report.left[Left.NOT_DICOM] += 1
            else:
                self._report.unusable.append(
                    Unusable(heap_file.key, f"has a header that cannot be read ({fault.code})")
                )
            return None
        except (OSError, ArchiveRefused):
            self._report.unusable.append(Unusable(heap_file.key, UNREADABLE))
            return None
        if isinstance(facts, Left):
            self._report.left[facts] += 1
            return None
        return facts

    def _distinct(self, images: list[ImageFacts]) -> Iterator[ImageFacts]:
        """One of each instance; where several differ, all of them, for their batch to say so."""
        groups = list(same_instance(images))
        digests = self._digests({image.key for group in groups if len(group) > 1 for image in group})
        for first, *others in groups:
            seen = {digests.get(first.key, "")}
            yield first
            for image in others:
                digest = digests.get(image.key, repr(image.key))
                if digest in seen:
                    self._report.left[Left.COPY] += 1
                else:
                    yield replace(image, content=digest)
                seen.add(digest)

    def _digests(self, keys: set[Key]) -> dict[Key, str]:
        found = {}
        for heap_file in self._heap([]) if keys else ():
            if heap_file.key in keys:
                with suppress(OSError, ArchiveRefused):
                    found[heap_file.key] = heap_file.sha256()
        return found

    def _place(self, targets: dict[Key, _Target]) -> None:
        for heap_file in self._heap([]) if targets else ():
            target = targets.get(heap_file.key)
            if target and (why := target.take(heap_file)):
                self._report.unusable.append(Unusable(heap_file.key, why))


class _Reader:
    """Reads of a header what says where an image belongs."""

    def __init__(self, names: IdentityNames) -> None:
        self._names = names
        keywords = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesNumber", "InstanceNumber")
        self._headers = HeaderReader(map(known_tag, (*keywords, names.entity_keyword, names.item_keyword)))

    def facts(self, heap_file: HeapFile) -> ImageFacts | Left:
        with closing(heap_file.open()) as source:
            header = self._headers.of(open_part_ten(source))
        if header.sop_class_uid == MEDIA_STORAGE_DIRECTORY:
            return Left.DICOMDIR
        facts = ImageFacts(
            key=heap_file.key,
            study_instance_uid=header.text("StudyInstanceUID").strip(),
            patient_id=entity_id_of(header, self._names),
            accession_number=item_id_of(header, self._names),
            sop_instance_uid=header.text("SOPInstanceUID").strip(),
            series_number=_whole(header, "SeriesNumber"),
            instance_number=_whole(header, "InstanceNumber"),
        )
        return facts if facts.study_instance_uid or facts.accession_number else Left.NO_STUDY


class _Target:
    """A study folder on its way: what is there of the study already, and what is still missing."""

    def __init__(self, folder: StudyFolder, path: Path, known: set[str], is_new: bool) -> None:
        self.missing = [image for image in folder.images if image.sop_instance_uid not in known]
        self.there = len(folder.images) - len(self.missing)
        self._path, self._is_new = path, is_new
        self._writing = path.with_name(path.name + WRITING)
        self._names = {image.key: image.file_name for image in self.missing}
        self._placed: Counter[Placed] = Counter()
        self._waiting = len(self.missing)

    @classmethod
    def of(cls, folder: StudyFolder, data: Path, reader: _Reader) -> _Target:
        """The folder to write: beside those of the same study that there are, under a name that none has."""
        name, known = folder.name, set[str]()
        for stem in (folder.plain_name, folder.distinct_name):
            found = _known(data / stem, folder, reader)
            if found:
                name, known = stem, known | found
            elif found is None and name == stem:  # another study has it
                name = folder.distinct_name
        number, path = 0, data / name
        while path.exists():
            number += 1
            path = data / f"{name}.late{number}"
            known |= _known(path, folder, reader) or set()
        return cls(folder, path, known, number == 0)

    def take(self, heap_file: HeapFile) -> str:
        """Put one file in its place; the folder is finished with the last one. Says why a file could not be."""
        self._writing.mkdir(exist_ok=True)
        path, why = self._writing / self._names[heap_file.key], ""
        try:
            if not path.exists():  # unless a run that was stopped has put it there
                self._placed[heap_file.put(path)] += 1
        except ArchiveRefused as refused:
            why = refused.why
        except OSError as error:
            if error.errno in FULL:
                raise
            why = UNREADABLE
        self._waiting -= 1
        if not self._waiting:
            self._finish()
        return why

    def _finish(self) -> None:
        for name in os.listdir(self._writing):
            if name.endswith(".tmp"):  # the draft of a run that was killed
                (self._writing / name).unlink()
        if not os.listdir(self._writing):
            self._writing.rmdir()
            return
        sync(self._writing)
        os.rename(self._writing, self._path)
        sync(self._path.parent)

    def report(self) -> SortedFolder:
        """What became of it."""
        return SortedFolder(Phi(self._path.name), dict(self._placed), self.there, self._is_new)


def _known(path: Path, folder: StudyFolder, reader: _Reader) -> set[str] | None:
    """The SOP Instance UIDs in a study folder that is there already; None where it is of another study."""
    known: set[str] = set()
    for found in walk(path, frozenset()) if path.is_dir() else ():
        if isinstance(found, HeapFile):
            with suppress(DataFault, OSError, ArchiveRefused):
                facts = reader.facts(found)
                if isinstance(facts, ImageFacts):
                    if not folder.may_hold(facts):
                        return None
                    known.add(facts.sop_instance_uid)
    return known


def _whole(header: Header, keyword: str) -> int:
    with suppress(ValueError):
        return max(0, int(header.text(keyword)))
    return 0
