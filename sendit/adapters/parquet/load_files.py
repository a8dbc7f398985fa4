"""The files of one warehouse table: one file per load, and compacted files of many loads. Every row is there once.

<load id>.parquet            the rows of one load
compacted/<name>.parquet     the rows of many loads
compacted/<name>.loads       the ids of these loads, one per line
compacted/<name>.merging     the same list, while the loads' own files still exist
.incoming/, .merged.*        files being written

A reader trusts the names alone, so each change of state is one rename. Compaction writes the list as `.merging` first
and then renames the merged file to `.parquet`: from this moment its rows count, and readers pass over the own files of
the loads in the list. Only then are these files removed and the list renamed to `.loads`. A process that is killed in
between leaves a state that readers understand and the next compaction finishes.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sendit.durable import forget_time, locked, make_folder, place, read_only, sync

Merge = Callable[[Sequence[Path], Path], None]
"""Writes the rows of some files into one file."""

Change = Callable[[Path, Path], int]
"""Writes one file's rows, changed, into another, and returns how many changed. If none did, it need not write."""


class LoadFiles:
    """One table's folder.

    A process holds `.lock` while it gives a file its name. A process that removes files holds `.compacting` throughout,
    and `.reading` exclusively, which it gets once no reader shares it, while it removes them.

    Parameters
    ----------
    folder : Path
        Created when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming, self._compacted = folder / ".incoming", folder / "compacted"

    @contextmanager
    def reading(self) -> Iterator[list[Path]]:
        """Give the files that together hold every row once; none of them is removed inside the block."""
        if not self._folder.exists():
            yield []
            return
        with self._lock(".reading", shared=True):
            own = {path.stem: path for path in self._folder.glob("*.parquet")}
            compacted = sorted(self._compacted.glob("*.parquet"))
            for path in compacted:
                for load_id in _listed(path.with_suffix(".merging")):
                    own.pop(load_id, None)
            yield [*compacted, *(own[load_id] for load_id in sorted(own))]

    def uncompacted(self) -> int:
        """Return how many loads still have a file of their own."""
        return sum(1 for _ in self._folder.glob("*.parquet"))

    def take_in(self, rows: Path, load_id: str) -> None:
        """Copy the file as the load's rows, unless the load is known already."""
        with self._lock(".lock"):
            if not self._knows(load_id):
                self._copy(rows, self._own(load_id))
                forget_time(self._own(load_id), self._folder)

    def compact(self, most: int, merge: Merge) -> int:
        """Merge up to `most` loads' own files into one, after finishing any earlier merge. Returns how many."""
        if not self._folder.exists():
            return 0
        with self._lock(".compacting"):
            self._finish()
            own = sorted(self._folder.glob("*.parquet"))[:most]
            if len(own) < 2:
                return 0
            self._merge(own, merge)
            self._finish()
        return len(own)

    def remove(self, load_id: str, drop: Change) -> None:
        """Remove a load: its own file, or its rows in a compacted file, which is written again without them.

        The rows go before the list that names the load: a call that is killed in between is finished by the next one.

        Parameters
        ----------
        drop : callable
            Writes the file's rows without those of the load.
        """
        if not self._folder.exists():
            return
        with self._lock(".compacting"):
            self._finish()
            for name in (".merged.rows", ".merged.loads", ".rewritten.rows"):
                (self._folder / name).unlink(missing_ok=True)
            with self._lock(".reading"), self._lock(".lock"):
                for left in self._incoming.iterdir():
                    left.unlink()  # of a killed process, and perhaps of this load
                self._own(load_id).unlink(missing_ok=True)
                sync(self._folder)
            for listed in self._compacted.glob("*.loads"):
                if load_id in _listed(listed):
                    self._drop(listed, load_id, drop)

    def _drop(self, listed: Path, load_id: str, drop: Change) -> None:
        compacted = listed.with_suffix(".parquet")
        if compacted.exists():
            self._rewrite(compacted, drop)
        others = [other for other in _listed(listed) if other != load_id]
        draft = self._folder / ".merged.loads"
        draft.write_text("".join(f"{other}\n" for other in others))
        with self._lock(".lock"):
            place(draft, listed)

    def rewrite(self, change: Change) -> int:
        """Apply a change to every file, and return how many rows changed. A file is replaced while nobody reads."""
        if not self._folder.exists():
            return 0
        with self._lock(".compacting"):
            self._finish()
            (self._folder / ".merged.rows").unlink(missing_ok=True)
            return sum(self._rewrite(path, change) for path in self._all())

    def _all(self) -> list[Path]:
        return sorted([*self._folder.glob("*.parquet"), *self._compacted.glob("*.parquet")])

    def _rewrite(self, path: Path, change: Change) -> int:
        draft = self._folder / ".rewritten.rows"
        draft.unlink(missing_ok=True)
        changed = change(path, draft)
        if changed:
            draft.chmod(path.stat().st_mode & 0o777)
            with self._lock(".reading"), self._lock(".lock"):
                place(draft, path)
        forget_time(path, path.parent)
        return changed

    def _merge(self, own: Sequence[Path], merge: Merge) -> None:
        """Merge files. The list is in place before the rename that makes the merged file count."""
        target = self._compacted / f"{secrets.token_hex(8)}.parquet"
        merged, listed = self._folder / ".merged.rows", self._folder / ".merged.loads"
        merged.unlink(missing_ok=True)
        merge(own, merged)
        listed.write_text("".join(f"{path.stem}\n" for path in own))
        place(listed, target.with_suffix(".merging"))
        merged.chmod(0o400)
        place(merged, target)
        forget_time(target, self._compacted)

    def _finish(self) -> None:
        """Remove own files whose rows are in a compacted file, and lists whose compacted file was never finished."""
        for merging in self._compacted.glob("*.merging"):
            if not merging.with_suffix(".parquet").exists():
                merging.unlink()
                continue
            with self._lock(".reading"), self._lock(".lock"):
                for load_id in _listed(merging):
                    self._own(load_id).unlink(missing_ok=True)
                sync(self._folder)
                os.rename(merging, merging.with_suffix(".loads"))
                sync(self._compacted)

    def _knows(self, load_id: str) -> bool:
        """Return whether anything was loaded under the id."""
        lists = [*self._compacted.glob("*.loads")]
        lists += [path for path in self._compacted.glob("*.merging") if path.with_suffix(".parquet").exists()]
        return self._own(load_id).exists() or any(load_id in _listed(path) for path in lists)

    def _copy(self, rows: Path, target: Path) -> None:
        for left in self._incoming.iterdir():
            left.unlink()  # we hold the lock, so only a killed process can have left it
        draft = self._incoming / secrets.token_hex(8)
        with rows.open("rb") as source, open(draft, "xb", opener=read_only) as stream:
            shutil.copyfileobj(source, stream)
        place(draft, target)

    def _own(self, load_id: str) -> Path:
        return self._folder / f"{load_id}.parquet"

    def _lock(self, name: str, *, shared: bool = False) -> AbstractContextManager[None]:
        sync(*make_folder(self._incoming), *make_folder(self._compacted))
        return locked(self._folder / name, shared=shared)


def _listed(path: Path) -> list[str]:
    return _text(path).splitlines()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""
