"""Which study folder each image of a heap belongs in, and what it is called there. Reads nothing, writes nothing.

A folder is one study of one patient under one accession number. What identifies is in the folder's name alone: a file
is called by its series' number, its own number and a digest of its SOP Instance UID.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sendit.pipeline.files.heap import Key


@dataclass(frozen=True, slots=True, repr=False)
class ImageFacts:
    """What an image's header says of where it belongs."""

    key: Key
    study_instance_uid: str
    patient_id: str
    accession_number: str
    sop_instance_uid: str
    series_number: int
    instance_number: int
    content: str = ""
    """A digest of the file, where another file says that it is the same instance and differs."""

    @property
    def study(self) -> tuple[str, str]:
        """What tells studies apart; the accession number stands in for a missing Study Instance UID."""
        return self.study_instance_uid or f"accession {self.accession_number}", self.patient_id

    @property
    def file_name(self) -> str:
        """The same for the same instance, whatever it was called."""
        digest = _digest((self.sop_instance_uid or repr(self.key)) + self.content)
        return f"{self.series_number % 10_000:04}-{self.instance_number % 1_000_000:05}-{digest}.dcm"


@dataclass(frozen=True, slots=True, repr=False)
class StudyFolder:
    """A folder to make: its name identifies."""

    study: tuple[str, str, str]
    images: tuple[ImageFacts, ...]
    is_alone: bool
    """Whether no other study of the heap has the plain name."""

    @property
    def plain_name(self) -> str:
        """The accession number, or else the Study Instance UID."""
        return safe(self.study[2] or self.study[0])

    @property
    def distinct_name(self) -> str:
        """The name where another study has the plain one."""
        return f"{self.plain_name}_{_digest(repr(self.study))[:8]}"

    @property
    def name(self) -> str:
        return self.plain_name if self.is_alone else self.distinct_name

    def may_hold(self, image: ImageFacts) -> bool:
        """Whether an image is of this study and of no other patient, as far as it says."""
        uid, patient, _ = self.study
        return image.study[0] == uid and (not image.patient_id or not patient or image.patient_id == patient)


def study_folders(images: Iterable[ImageFacts]) -> list[StudyFolder]:
    """Every image in its folder, in the order of the folders' names."""
    groups: dict[tuple[str, str, str], list[ImageFacts]] = defaultdict(list)
    for study, members in _by_study(images).items():
        accessions = {image.accession_number for image in members} - {""}
        for image in members:
            only = next(iter(accessions)) if len(accessions) == 1 else ""
            groups[(*study, image.accession_number or only)].append(image)
    folders = [StudyFolder(study, tuple(members), True) for study, members in groups.items()]
    often = Counter(folder.plain_name.lower() for folder in folders)
    folders = [replace(folder, is_alone=often[folder.plain_name.lower()] == 1) for folder in folders]
    return sorted(folders, key=lambda folder: folder.name)


def _by_study(images: Iterable[ImageFacts]) -> dict[tuple[str, str], list[ImageFacts]]:
    """One without a Patient ID belongs to the patient of its study, if there is only one."""
    found: dict[tuple[str, str], list[ImageFacts]] = defaultdict(list)
    for image in images:
        found[image.study].append(image)
    patients = defaultdict(list)
    for uid, patient in found:
        patients[uid].append(patient)
    for uid, named in patients.items():
        if "" in named and len(named) == 2:
            (patient,) = set(named) - {""}
            found[uid, patient] += found.pop((uid, ""))
    return found


def safe(name: str) -> str:
    """As the name of a finished folder, without what a file system or a shell takes for something else."""
    kept = re.sub(r"[^\w.-]", "_", name)[:60].strip(".")
    stem, dot, extension = kept.rpartition(".")
    return f"{stem}_{extension}" if dot and re.match(r"(?i)tmp|err$", extension) else kept or "_"


def same_instance(images: Iterable[ImageFacts]) -> Iterator[list[ImageFacts]]:
    """The images in groups of those that say that they are the same instance."""
    alike: dict[str, list[ImageFacts]] = defaultdict(list)
    for image in images:
        alike[image.sop_instance_uid or repr(image.key)].append(image)
    yield from alike.values()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
