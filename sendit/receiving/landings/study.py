"""One study's folder while it is filled: which images are in it, who still brings some, and since when it is quiet.

Times are those of a clock that only goes on (`time.monotonic`). Names are numbers, in the order of arrival.
"""

from __future__ import annotations

import filecmp
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from sendit.receiving.landings.records import Evidence, Opened

SUFFIX = ".dcm"


class Outcome(StrEnum):
    """What became of an image that a study's folder was given."""

    KEPT = "kept"
    COPY = "copy"
    """The same SOP Instance UID with the same bytes is here already; one is enough."""
    CONFLICT = "conflict"
    """The same SOP Instance UID with other bytes is here; both are kept, so a person can decide."""


@dataclass(slots=True, repr=False, eq=False)
class StudyLanding:
    """A study's folder that is being filled.

    Parameters
    ----------
    opened : Opened
        Its record.
    name : str
        What it will be called.
    now : float
        When it was opened.
    """

    opened: Opened
    name: str
    now: float
    evidence: Evidence | None = None
    """What says that it is complete."""
    under_way: int = 0
    """Images that have arrived and are being moved in."""
    bringers: set[int] = field(default_factory=set)
    """Associations that are open and have brought images."""
    quiet_since: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    instances: dict[bytes, list[int]] = field(default_factory=dict)
    """The numbers of the files by SOP Instance UID."""
    named_so_far: set[bytes] = field(default_factory=set)
    """The images here that peers have named as those of a whole."""
    _count: int = 0
    _handle: int = -1

    def __post_init__(self) -> None:
        self.quiet_since = self.now

    @property
    def images(self) -> int:
        """How many images are in the folder."""
        return sum(map(len, self.instances.values()))

    def path(self, number: int) -> str:
        """Return the path of an image by its number."""
        return os.path.join(self.opened.path, f"{number}{SUFFIX}")

    def take_up(self, sop_instance: bytes, number: int) -> None:
        """Note an image that is in the folder already."""
        self.instances.setdefault(sop_instance, []).append(number)
        self._count = max(self._count, number)

    def named(self, names: set[bytes]) -> set[bytes]:
        """Return those of the names whose images are here."""
        with self.lock:
            return names & self.instances.keys()

    def note(self, found: set[bytes], evidence: Evidence, bringer: int) -> bool:
        """Note that a peer has named images that are here; returns whether the study is complete for it.

        It is if all images here were named, and nobody brings more but the association that names them.
        """
        with self.lock:
            self.named_so_far |= found
            if self.named_so_far >= self.instances.keys() and self.bringers <= {bringer} and not self.under_way:
                self.evidence = evidence
        return self.evidence is not None

    def add(self, sop_instance: bytes, draft: str) -> tuple[Outcome, int]:
        """Move a complete image in, unless it is a copy of one that is here. Returns what became of it, and its number.

        Raises OSError if the file system refuses.
        """
        with self.lock:
            numbers = self.instances.get(sop_instance, [])
            for number in numbers:
                if filecmp.cmp(self.path(number), draft, shallow=False):
                    os.unlink(draft)
                    return Outcome.COPY, number
            self._count += 1
            os.rename(draft, self.path(self._count))
            self.take_up(sop_instance, self._count)
            return (Outcome.CONFLICT if numbers else Outcome.KEPT), self._count

    def sync_names(self) -> None:
        """Make the names of the images durable."""
        if self._handle < 0:
            with self.lock:
                if self._handle < 0:
                    self._handle = os.open(self.opened.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(self._handle)

    def sync_image(self, number: int) -> None:
        """Make the bytes of one image durable."""
        sync_data(self.path(number))

    def sync_all(self) -> None:
        """Make all images and their names durable."""
        for number in [number for numbers in self.instances.values() for number in numbers]:
            self.sync_image(number)
        self.sync_names()

    def close(self) -> None:
        """Let go of the folder."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def seconds_quiet(self, now: float) -> float:
        """Return for how long nothing has come while no association that brought images was open."""
        return 0.0 if self.bringers or self.under_way else now - self.quiet_since


def sync_data(path: str) -> None:
    """Make the bytes of a file durable."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(handle)
    finally:
        os.close(handle)


def numbers_in(folder: str) -> Iterator[int]:
    """Yield the numbers of the images in a folder of ours."""
    for name in os.listdir(folder):
        stem, extension = os.path.splitext(name)
        if extension == SUFFIX and stem.isdigit():
            yield int(stem)
