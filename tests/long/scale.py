"""Studies and headers as large as they come, each by itself: the peak memory of the fattest process."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import commands, studies
from tests.support.streams import EXPLICIT as X
from tests.support.streams import even, part10

LIMIT_MB = 200
LIMIT_SECONDS = 60
"""Of one file, by the clock on the wall and with the start of all processes; the bar for the work itself is 10 s."""
Finding = tuple[str, bool]


def run(scratch: Path, images: int, frames: int) -> Iterator[Finding]:
    """Yield what was found of each kind, and whether it is within the bars."""
    files: dict[str, Callable[[], bytes]] = {
        f"functional groups of {frames:,} frames": lambda: enhanced(frames),
        "47 MB of elements that nobody knows": lambda: unknown(3_900_000),
        "1,700,000 identifiers": lambda: identifiers(1_700_000),
        "10 MB of text": lambda: texts(10_000),
    }
    for name, make in files.items():
        yield _measured(name, scratch, lambda folder, make=make: _write(folder, make()), LIMIT_SECONDS)  # type: ignore[misc]
    yield _measured(f"{images:,} images", scratch, lambda folder: studies.many(folder, images), float("inf"))


def _measured(name: str, scratch: Path, make: Callable[[Path], object], seconds: float) -> Finding:
    make(scratch / "data" / "S1")
    arguments = ("start_queue", "--number", "all")
    ran = commands.sendit(*arguments, var=scratch / "var", data=scratch / "data", may_fail=True)
    shutil.rmtree(scratch / "data")
    shutil.rmtree(scratch / "var")
    says = f"{name}: {ran.peak_mb:.0f} MB, {ran.seconds:.0f} s"
    print(says, flush=True)
    return says, ran.peak_mb <= LIMIT_MB and ran.seconds <= seconds


def _write(folder: Path, data: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "1.dcm").write_bytes(data)


# ------------------------------------------------------------------------------------------------- files


def _file(patient: bytes = b"", behind: bytes = b"") -> bytes:
    return part10(
        b"".join(
            (
                X.element(0x00080016, "UI", even("1.2.840.10008.5.1.4.1.1.4.1", b"\0")),
                X.element(0x00080018, "UI", even("1.2.3.4", b"\0")),
                X.element(0x00080050, "SH", b"A1"),
                X.element(0x00100020, "LO", b"MRN-1 "),
                patient,
                X.element(0x0020000D, "UI", even("1.2.3.1", b"\0")),
                X.element(0x0020000E, "UI", even("1.2.3.2", b"\0")),
                behind,
            )
        )
    )


def enhanced(frames: int) -> bytes:
    """An enhanced image without pixels: some 500 bytes a frame."""
    groups = (
        X.sequence(0x00189114, [X.element(0x00189082, "FD", struct.pack("<d", 3.5))])
        + X.sequence(0x00189117, [X.element(0x00189087, "FD", struct.pack("<d", n % 8))])
        + X.sequence(
            0x00209111,
            [
                X.element(0x00189074, "DT", b"20110617101010.%06d " % n)
                + X.element(0x00209057, "UL", struct.pack("<I", n))
                + X.element(0x00209157, "UL", struct.pack("<3I", 1, n, n % 7))
            ],
        )
        + X.sequence(0x00209113, [X.element(0x00200032, "DS", even(f"-{n / 4:.3f}\\-120.5\\{n * 1.5:.4f}"))])
        + X.sequence(0x00209116, [X.element(0x00200037, "DS", even("1\\0\\0\\0\\1\\0"))])
        + X.sequence(0x00289132, [X.element(0x00281050, "DS", b"40") + X.element(0x00281051, "DS", b"%d " % (n % 90))])
        for n in range(frames)
    )
    return _file(behind=X.sequence(0x52009230, groups))


def unknown(count: int) -> bytes:
    """Elements of even groups that PS3.6 does not know, none twice."""
    tags = (group << 16 | element for group in range(0x5202, 0x5400, 2) for element in range(1, 0x10000))
    return _file(behind=b"".join(X.element(tag, "SH", b"abcd") for tag, _ in zip(tags, range(count), strict=False)))


def identifiers(count: int) -> bytes:
    """Other Patient IDs."""
    return _file(X.sequence(0x00101002, (X.element(0x00100020, "LO", b"MRN-%08d" % n) for n in range(count))))


def texts(count: int) -> bytes:
    """Comments of a thousand characters, none like another."""
    words = b"lesion of the left lobe, seen by Dr. Brzoza on 12.03.2011, tel. 555-867-5309; " * 13
    items = (X.element(0x00400254, "UT", (b"%d " % n + words)[:1000]) for n in range(count))
    return _file(behind=X.sequence(0x00400275, items))
