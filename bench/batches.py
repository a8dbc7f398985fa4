"""Whole batches through the real commands: study folders → delivered archives, rows and states."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import commands, contenders, studies
from bench.contenders import Contender
from bench.measure import Bar, Rate, Section, Size, rates
from bench.studies import Study

FLOOR = Contender("read + igzip the same bytes", contenders.read_and_igzip, 400)
HASHED = Contender("read + SHA-256 + igzip them", contenders.read_hash_and_igzip, 400)
FIELD = Contender("the seed system's flow (deid)", contenders.seed_flow, 8)

STAGES = (("PROCESSING", "batch.processed"), ("UPLOADING", "batch.delivered"))
SPAN = """
    SELECT (max(julianday(at)) FILTER (WHERE name = ?2)
            - min(julianday(at)) FILTER (WHERE name = 'batch.claimed' AND fields ->> 'state' = ?1)) * 86400
    FROM pipeline_event"""


def run(scratch: Path, size: Size) -> Section:
    """Against reading and compressing the same bytes, against the system in the field, and two workers against one."""
    contenders.quiet()
    kinds = [studies.ct(scratch / "CT20", size.ct_images // 2), studies.mr(scratch / "MR20", size.mr_images // 2)]
    copies = list(_copies(kinds, scratch / "data", size.copies))
    size_mb = sum(study.size_bytes for study in copies) / 1e6
    one, two, floor, hashed, field = (Rate() for _ in range(5))
    for _ in range(min(size.rounds, 3)):
        floor.keep(_together(FLOOR, kinds, scratch))
        hashed.keep(_together(HASHED, kinds, scratch))
        one.keep(size_mb / _seconds(scratch, workers=1, batches=len(copies)))
        two.keep(size_mb / _seconds(scratch, workers=2, batches=len(copies)))
    field.keep(_together(FIELD, kinds, scratch))
    return _section(one, two, floor, hashed, field, f"{len(copies)} study folders, {size_mb:,.0f} MB")


def _section(one: Rate, two: Rate, floor: Rate, hashed: Rate, field: Rate, corpus: str) -> Section:
    ours = {"sendit, one worker": one, "sendit, two workers": two}
    theirs = {FLOOR.name: floor, HASHED.name: hashed, FIELD.name: field}
    return Section(
        "The whole batch: folder → delivered archive, rows and states",
        bars=[
            Bar(f"one worker ÷ {HASHED.name}", one.mb_per_second / hashed.mb_per_second, 0.7),
            Bar(f"one worker ÷ {FIELD.name}", one.mb_per_second / field.mb_per_second, 30),
            Bar("two workers ÷ one", two.mb_per_second / one.mb_per_second, 1.8),
        ],
        header=("", "MB/s of input"),
        rows=[(name, str(rate)) for name, rate in (ours | theirs).items()],
        notes=[
            f"{corpus}. `start_queue --number all`, then `upload_finished`; each from its first claim to its last end,"
            " so without the start of Python and of the workers."
        ],
    )


def _copies(kinds: Sequence[Study], data: Path, copies: int) -> Iterator[Study]:
    for study in kinds:
        for number in range(21, 21 + copies):
            yield studies.clone(study, data / f"{study.folder.name[:2]}{number}")


def _together(contender: Contender, kinds: Sequence[Study], scratch: Path) -> float:
    """A contender's rate over one study of each kind: all bytes by all seconds."""
    sizes = [sum(path.stat().st_size for path in study.files[: contender.sample]) / 1e6 for study in kinds]
    found = [rates([contender], study, scratch, rounds=2)[contender.name] for study in kinds]
    return sum(sizes) / sum(size / rate.mb_per_second for size, rate in zip(sizes, found, strict=True))


def _seconds(scratch: Path, workers: int, batches: int) -> float:
    """From the first claim to the last end, of processing and of delivery: what the batches' own histories say."""
    var = scratch / "var"
    for arguments in (("start_queue", "--number", "all"), ("upload_finished",)):
        commands.sendit(*arguments, var=var, data=scratch / "data", workers=workers)
    with contextlib.closing(sqlite3.connect(var / "sendit.sqlite3")) as database:
        (delivered,) = database.execute("SELECT count(*) FROM pipeline_batch WHERE state = 'DONE'").fetchone()
        seconds = sum(database.execute(SPAN, words).fetchone()[0] for words in STAGES)
    if delivered != batches:
        raise commands.CommandFailed(f"{delivered} of {batches} batches were delivered")
    shutil.rmtree(var)
    return float(seconds)
