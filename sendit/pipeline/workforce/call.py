"""What the workers of one call share: how many batches they may begin, which they have begun, and what is done.

A file without a name, which every process of the call has open. Each worker counts in a place of its own. Which batches
were begun stands behind these places, in order; only there the workers write in turn, for some microseconds each.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from struct import Struct
from typing import IO

from sendit.pipeline.record.leases import Lease

HEAD = Struct("qq")
"""The number of workers, and how many batches may be begun; NO_LIMIT is any number."""

DONE = Struct("qqq")
"""A worker's images, bytes and batches so far."""

PLACE = Struct("q")
"""The primary key of a batch that was begun."""

NO_LIMIT, UNKNOWN, NOTHING = -1, 0, -2
"""A place is UNKNOWN while its claim is under way, and NOTHING after a claim that found no batch."""


class Call:
    """One call's shared file, from the side of any process that has it open.

    Parameters
    ----------
    file : file
        Open for reading and writing; gone when no process has it open.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.handle = file.fileno()
        self._workers, self._limit = HEAD.unpack(os.pread(self.handle, HEAD.size, 0))
        self._begun_at = HEAD.size + self._workers * DONE.size
        self._mine = [0, 0, 0]

    @classmethod
    def make(cls, workers: int, limit: int | None) -> Call:
        """A new file for so many workers, who may begin so many batches."""
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as the call
        file.write(HEAD.pack(workers, NO_LIMIT if limit is None else limit) + DONE.pack(0, 0, 0) * workers)
        return cls(file)

    # ------------------------------------------------------------------------------------------ what is done

    def resume(self, worker: int) -> None:
        """Count on where the worker of this number stopped that was here before."""
        self._mine = list(DONE.unpack(os.pread(self.handle, DONE.size, self._place_of(worker))))

    def did(self, worker: int, images: int = 0, bytes_: int = 0, batches: int = 0) -> None:
        """Count what the worker has done."""
        self._mine = [done + more for done, more in zip(self._mine, (images, bytes_, batches), strict=True)]
        os.pwrite(self.handle, DONE.pack(*self._mine), self._place_of(worker))

    def done(self) -> tuple[int, int, int]:
        """Images, bytes and batches of all workers."""
        each = DONE.iter_unpack(os.pread(self.handle, self._workers * DONE.size, HEAD.size))
        images, bytes_, batches = map(sum, zip(*each, strict=True))
        return images, bytes_, batches

    def _place_of(self, worker: int) -> int:
        return HEAD.size + (worker - 1) * DONE.size

    # ------------------------------------------------------------------------------------------ what was begun

    def claim(self, claim: Callable[[Sequence[int] | None], Lease | None]) -> Lease | None:
        """Claim a batch, if this call may begin one more; if not, one that it began before and that came back.

        Parameters
        ----------
        claim : callable
            Claims one of the batches given, or any where it is given None.
        """
        if self._limit == NO_LIMIT:
            lease = claim(None)
            if lease:
                self._note(lease.batch.pk)
            return lease
        place = self._reserve()
        if place is None:
            return claim(self.begun())
        pk = NOTHING
        try:
            lease = claim(None)
            pk = lease.batch.pk if lease else NOTHING
        finally:  # also where the database did not answer
            self._fill(place, pk)
        return lease

    def begun(self) -> list[int]:
        """The primary keys of all batches that this call's workers have claimed."""
        return sorted({pk for pk in self._places() if pk > 0})

    def _note(self, pk: int) -> None:
        with self._alone():
            os.pwrite(self.handle, PLACE.pack(pk), os.fstat(self.handle).st_size)

    def _reserve(self) -> int | None:
        """A place for one more batch; None where the limit is reached."""
        with self._alone():
            places = self._places()
            if len(places) - places.count(NOTHING) >= self._limit:
                return None
            free = places.index(NOTHING) if NOTHING in places else len(places)
            self._write(free, UNKNOWN)
            return free

    def _fill(self, place: int, pk: int) -> None:
        """Say which batch has the place; one that this call had begun before needs no second one."""
        with self._alone():
            self._write(place, NOTHING if pk in self._places() else pk)

    def _places(self) -> array[int]:
        size = os.fstat(self.handle).st_size - self._begun_at
        return array("q", os.pread(self.handle, size, self._begun_at))

    def _write(self, place: int, pk: int) -> None:
        os.pwrite(self.handle, PLACE.pack(pk), self._begun_at + place * PLACE.size)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time; the lock of one that is killed is gone."""
        fcntl.lockf(self.handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.handle, fcntl.LOCK_UN)
