"""A million batches of fifty projects in the database: what a claim, a glance and a page of the list then take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Bar, Section, Size

if TYPE_CHECKING:
    from sendit.pipeline.record.models import Batch

SHARES = {"DONE": 0.70, "QUEUE": 0.20, "DONEPROCESSING": 0.05, "EMPTY": 0.03, "ERROR": 0.02}
REPEATS = 25
PROJECTS = int(os.environ.get("BENCH_PROJECTS", "50"))
LIMIT_MS = 200
PAGE = 50


Took = dict[str, list[float]]
"""Milliseconds that each asking of a question took, sorted."""


def run(scratch: Path, size: Size) -> Section:
    """In SQLite."""
    _set_up(scratch / "var")
    filled_seconds = _timed(lambda: _fill(size.rows))
    section = _section(f"{size.rows:,} batches in the database", _asked(size.rows))
    section.notes.append(f"Filled in {filled_seconds:.0f} s; {_size_mb():,.0f} MB on a memory file system.")
    return section


def on_postgres(url: str, var: Path, size: Size) -> Section:
    """In PostgreSQL, from a process of its own: Django here has SQLite already."""
    environment = {**os.environ, "SENDIT_VAR": str(var), "SENDIT_DATABASE": url}
    command = [sys.executable, "-m", "bench.million", str(size.rows)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return _section(f"{size.rows:,} batches in PostgreSQL", json.loads(done.stdout))


def _asked(rows: int) -> Took:
    """Each question is asked many times; nine answers of ten have to keep the bar."""
    questions: dict[str, Callable[[], object]] = {
        "a claim": _claim,
        f"a claim by turns, among {PROJECTS} projects": _by_turns(),
        "`status`, one glance": _glance,
        f"a page of the list ({PAGE} batches of one state, newest first)": lambda: _page("ERROR"),
        f"a page from the middle of the list ({PAGE} batches of all states)": lambda: _middle_page(rows // 2),
        f"a page of one project ({PAGE} batches, newest first)": lambda: _page_of("p7"),
    }
    return {name: sorted(_timed(ask) * 1000 for _ in range(REPEATS)) for name, ask in questions.items()}


def _section(title: str, took: Took) -> Section:
    section = Section(title, header=("", "median ms", "9 of 10 ms", "slowest ms"))
    for name, took_ms in took.items():
        median, ninth, slowest = took_ms[REPEATS // 2], took_ms[REPEATS * 9 // 10], took_ms[-1]
        section.rows.append((name, *(f"{figure:.1f}" for figure in (median, ninth, slowest))))
        section.bars.append(Bar(f"{name}, 9 of 10 times", ninth, LIMIT_MS, "ms", at_most=True))
    return section


def _set_up(var: Path) -> None:
    os.environ["SENDIT_VAR"] = str(var)
    os.environ["DJANGO_SETTINGS_MODULE"] = "sendit.settings"
    import django

    django.setup()
    from sendit import keys
    from sendit.ground.database import make_ready

    keys.make(var / "secrets")
    make_ready()


def _fill(batches: int) -> None:
    """One batch of each state by the model, which knows its columns; the others as copies of it by SQL."""
    from django.db import connection

    from sendit.pipeline.record.models import Batch

    names = [field.column for field in Batch._meta.concrete_fields if not field.primary_key]
    is_postgres = connection.vendor == "postgresql"
    random = "md5(random()::text) || md5(random()::text)" if is_postgres else "lower(hex(randomblob(32)))"
    fresh = dict.fromkeys(("folder_digest", "uid_digest"), random) | {"project": f"'p' || (i % {PROJECTS})"}
    for state, share in SHARES.items():
        came_at = _now() - timedelta(days=1)
        digests = {"folder_digest": state, "uid_digest": state}
        pattern = Batch.objects.create(
            state=state, created_at=came_at, started_at=came_at, processed_at=came_at, **digests
        )
        values = ", ".join(fresh.get(name, f'"{name}"') for name in names)
        columns = ", ".join(f'"{name}"' for name in names)
        table = Batch._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s)"
                f" INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, n WHERE id = %s",
                [round(batches * share) - 1, pattern.pk],
            )


def _now() -> datetime:
    from django.utils import timezone

    return timezone.now()


def _claim() -> None:
    from sendit.pipeline.record.leases import Job, LeaseTerms, claim, claimable

    (pk,) = claimable(Job.PROCESS, 1)
    if claim(pk, Job.PROCESS, LeaseTerms(lease_seconds=60, max_attempts=3)) is None:
        raise LookupError("nothing was claimed")


def _by_turns() -> Callable[[], object]:
    """As a worker claims, which remembers for a second whose turn it may be."""
    from django.conf import settings

    from sendit.pipeline.record.leases import Job, LeaseTerms, claim_oldest
    from sendit.projects.composition import Projects

    folder = settings.SITE.projects_folder
    folder.mkdir(exist_ok=True)
    for number in range(PROJECTS):
        (folder / f"p{number}.toml").write_text("")
    terms = LeaseTerms.of_all(Projects(settings.SITE))

    def claim_next() -> None:
        if claim_oldest(Job.PROCESS, terms) is None:
            raise LookupError("nothing was claimed")

    return claim_next


def _page_of(project: str) -> object:
    from sendit.pipeline.reports import batches

    return batches.page(batches.BatchFilter(projects=frozenset({project})), size=PAGE)


def _glance() -> None:
    from sendit.pipeline.reports.overview import overview

    overview()


def _page(state: str) -> list[Batch]:
    from sendit.pipeline.record.models import Batch

    return list(Batch.objects.filter(state=state).order_by("-pk")[:PAGE])


def _middle_page(middle: int) -> list[Batch]:
    from sendit.pipeline.record.models import Batch

    return list(Batch.objects.filter(pk__lt=middle).order_by("-pk")[:PAGE])


def _size_mb() -> float:
    from django.conf import settings

    return Path(settings.DATABASES["default"]["NAME"]).stat().st_size / 1e6


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    _set_up(Path(os.environ["SENDIT_VAR"]))
    _fill(int(sys.argv[1]))
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # as autovacuum does soon after
    print(json.dumps(_asked(int(sys.argv[1]))))
