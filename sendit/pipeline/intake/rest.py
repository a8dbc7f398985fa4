"""When a folder was last written to, by the times of what is in it and by the files that processes hold open."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial

from sendit.pipeline.intake.open_files import FileId

Found = tuple[float, FileId | None]
"""When something was last written to, and, of a file, which it is."""


class Unrest(StrEnum):
    """Why a folder counts as still being written."""

    LATELY = "written to a moment ago"
    OPEN = "a file in it is open for writing"


def unrest(folder: str, settle_seconds: float, opened: frozenset[FileId]) -> Unrest | None:
    """Why the folder is not to be taken yet, as far as it may be listed; None for one that is, or with 0 seconds.

    What may not be listed counts as finished: its batch will say so. What goes away meanwhile was written to.

    Parameters
    ----------
    opened : frozenset
        What `open_files.open_for_writing` returned a moment ago.
    """
    if not settle_seconds:
        return None
    try:
        found = list(_walk(folder))
    except OSError:
        return Unrest.LATELY
    if abs(time.time() - max(moment for moment, _ in found)) < settle_seconds:
        return Unrest.LATELY
    return Unrest.OPEN if opened.intersection(file for _, file in found if file) else None


def _walk(folder: str) -> Iterator[Found]:
    """Raises FileNotFoundError where something goes away; what cannot be looked at for another reason has no time."""
    yield _modified_at(folder), None
    try:
        with os.scandir(folder) as scan:
            for item in scan:
                if item.is_dir(follow_symlinks=False):
                    yield from _walk(item.path)
                else:
                    yield _of_file(partial(item.stat, follow_symlinks=False))
    except FileNotFoundError:
        raise
    except OSError:
        return


def _of_file(look: Callable[[], os.stat_result]) -> Found:
    """A copy that preserves modification times cannot set the time of change."""
    try:
        found = look()
    except FileNotFoundError:
        raise
    except OSError:
        return 0.0, None
    return max(found.st_mtime, found.st_ctime), (found.st_dev, found.st_ino)


def _modified_at(folder: str) -> float:
    """A folder's modification time: its time of change is also that of its renaming."""
    try:
        return os.stat(folder).st_mtime
    except FileNotFoundError:
        raise
    except OSError:  # a disk or a share says an error, which the batch will say too
        return 0.0
