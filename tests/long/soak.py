"""Batch after batch through one watcher: memory and open files of all its processes stay as they were."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import studies
from bench.commands import _tree
from sendit import keys

AT_ONCE = 100
"""Folders that are put there together."""
MORE_MB, MORE_FILES = 25, 8
"""By how much the fattest process may grow between a tenth of the run and its end: caches fill, logs rotate."""
PATIENCE_SECONDS = 900
Finding = tuple[str, bool]


def run(scratch: Path, batches: int) -> Iterator[Finding]:
    """Yield what was found of memory and of open files."""
    var, data, spare = scratch / "var", scratch / "data", scratch / "spare"
    studies.many(spare, 1)
    keys.make(var / "secrets")
    data.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "sendit", "start_watcher", "--foreground"],
        env=_environment(var, data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        measured = [
            _fed(process.pid, scratch, done, min(done + AT_ONCE, batches)) for done in range(0, batches, AT_ONCE)
        ]
    finally:
        process.terminate()
        process.wait()
    early, late = measured[len(measured) // 10], measured[-1]
    for name, bar, before, after in zip(("MB", "open files"), (MORE_MB, MORE_FILES), early, late, strict=True):
        says = f"{batches:,} batches: {before} {name} after a tenth, {after} at the end"
        print(says, flush=True)
        yield says, after - before <= bar


def _fed(pid: int, scratch: Path, first: int, last: int) -> tuple[int, int]:
    """Put so many folders there, wait until they are done, and measure the processes."""
    image = next((scratch / "spare").iterdir()).read_bytes()
    for number in range(first, last):
        folder = scratch / "data" / f"S{number}.tmp"
        folder.mkdir()
        (folder / "1.dcm").write_bytes(image.replace(b"700000", b"%06d" % number))
        folder.rename(folder.with_suffix(""))
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while (done := _done(scratch / "var" / "sendit.sqlite3")) < last:
        if time.monotonic() > gives_up_at:
            raise TimeoutError(f"{done} of {last} batches after {PATIENCE_SECONDS} s")
        time.sleep(0.2)
    for number in range(first, last):
        shutil.rmtree(scratch / "data" / f"S{number}")
    tree = _tree(pid)
    return max(map(_resident_mb, tree)), max(map(_open_files, tree))


def _done(database: Path) -> int:
    if not database.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
            (count,) = connection.execute(
                "SELECT count(*) FROM pipeline_batch WHERE state IN ('DONE', 'ERROR')"
            ).fetchone()
    except sqlite3.OperationalError:  # it is being made
        return 0
    return int(count)


def _resident_mb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmRSS:")[2].split()[0]) >> 10


def _open_files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _environment(var: Path, data: Path) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("SENDIT_")}
    return others | {
        "SENDIT_CONFIG": os.devnull,
        "SENDIT_VAR": str(var),
        "SENDIT_DATA_BASE": str(data),
        "SENDIT_SETTLE_SECONDS": "0",
        "SENDIT_WORKERS": "1",
        "SENDIT_UPLOAD_WORKERS": "1",
    }
