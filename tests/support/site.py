"""A deployment of its own for a test: in this process by overridden settings, in others by the environment."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from sendit import keys, settings
from sendit.pipeline.record.database import disconnect
from tests.support.phantoms import accession_number, leaks_in, make_study
from topology.families import end

DATABASE = "sendit.sqlite3"
SECONDS = 120


def make_template(folder: Path) -> Path:
    """A migrated, empty database to copy."""
    path = folder / DATABASE
    migrate(f"sqlite:///{path}")
    return path


def migrate(url: str) -> None:
    """Apply every migration to the database."""
    with use_database(url):
        call_command("migrate", verbosity=0)


class use_database:
    """The default database is another for a while."""

    def __init__(self, url: str) -> None:
        self._entry = settings.database(url)

    def __enter__(self) -> None:
        self._before = connections.settings
        self._use(connections.configure_settings({"default": self._entry}))

    def __exit__(self, *_: object) -> None:
        self._use(self._before)

    def _use(self, entries: dict[str, Any]) -> None:
        disconnect()
        connections.settings = entries
        with suppress(AttributeError):  # nobody asked it anything yet
            del connections["default"]


class Site:
    """A data folder and everything that sendit keeps; on SQLite, a copy of the template, unless a URL is given."""

    def __init__(
        self, root: Path, template: Path, monkeypatch: pytest.MonkeyPatch, database_url: str | None = None
    ) -> None:
        self.data, self.var = root / "data", root / "var"
        self._template, self._monkeypatch, self._url = template, monkeypatch, database_url
        self._stack = ExitStack()

    def __enter__(self) -> Site:
        self.data.mkdir()
        self.var.mkdir()
        if self._url is None:
            shutil.copy(self._template, self.var / DATABASE)
        self._stack.enter_context(use_database(self._url or f"sqlite:///{self.var / DATABASE}"))
        places = {"SECRETS": "secrets", "OUTBOX": "outbox", "STORE": "store", "WAREHOUSE": "warehouse", "LOGS": "logs"}
        self.set(VAR=self.var, DATA_BASE=self.data, SETTLE_SECONDS=0.0, WORKERS=2)
        self._stack.enter_context(override_settings(**{name: self.var / place for name, place in places.items()}))
        keys.make(self.var / "secrets")
        if self._url:
            self._monkeypatch.setenv("SENDIT_DATABASE", self._url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def set(self, **values: Any) -> None:
        """Change settings, here and for processes that are started from now on."""
        self._stack.enter_context(override_settings(**values))
        for name, value in values.items():
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            self._monkeypatch.setenv(settings.variable(name), text)

    def study(self, number: int = 1, **options: Any) -> Path:
        """A finished study folder of the phantom with that number."""
        folder = self.data / accession_number(number)
        make_study(folder, number=number, **options)
        return folder

    def call(self, *arguments: str) -> str:
        """Run a command in this process; its standard output, which must hold no planted identifier."""
        out = io.StringIO()
        call_command(*arguments, stdout=out, stderr=out)
        assert leaks_in(out.getvalue()) == []
        return out.getvalue()

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `sendit` with the arguments as a process of its own; nothing it says may hold a planted identifier."""
        done = subprocess.run(self.command(*arguments), **(self.options() | options), timeout=SECONDS)
        assert leaks_in(done.stdout + done.stderr) == []
        return done

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `sendit` with the arguments as a process of its own, which ends with the site."""
        process = subprocess.Popen(self.command(*arguments), **(self.options() | options))
        self._stack.callback(end, process)
        return process

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "sendit", *arguments]

    def options(self) -> dict[str, Any]:
        """How its processes are started."""
        return {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True}

    def queue(self) -> list[int]:
        """Every finished folder becomes a batch; their primary keys."""
        from sendit.pipeline.intake import contenders as intake
        from sendit.pipeline.record.models import Batch

        intake.add_up_to(None, intake.data_folders())
        return list(Batch.objects.filter(state="QUEUE").order_by("pk").values_list("pk", flat=True))

    def process(self) -> list[Any]:
        """Queue and process everything in this process; the batches as they are left."""
        from sendit.pipeline.record.leases import Job

        return self._attempt(self.queue(), Job.PROCESS)

    def deliver(self) -> list[Any]:
        """Deliver everything in this process."""
        from sendit.pipeline.record.leases import Job
        from sendit.pipeline.record.models import Batch

        waiting = Batch.objects.filter(state="DONEPROCESSING").order_by("pk").values_list("pk", flat=True)
        return self._attempt(list(waiting), Job.DELIVER)

    def _attempt(self, keys: list[int], job: Any) -> list[Any]:
        from sendit.pipeline.record.models import Batch
        from sendit.pipeline.workforce.runner import attempt

        for key in keys:
            attempt(key, job)
        return list(Batch.objects.filter(pk__in=keys).order_by("pk"))


def leaks_under(folder: Path) -> dict[str, list[str]]:
    """Planted identifiers in names and contents of all files below; archives are unpacked and rows read."""
    found = {}
    for path in sorted(folder.rglob("*")):
        leaks = leaks_in(str(path.relative_to(folder))) + [leak for data in _contents(path) for leak in leaks_in(data)]
        if leaks:
            found[str(path.relative_to(folder))] = leaks
    return found


def _contents(path: Path) -> Iterator[bytes]:
    """What is in it: the raw database too, with what was deleted from it."""
    if not path.is_file():
        return
    if path.name.endswith(".tar.gz"):
        yield gzip.decompress(path.read_bytes())
    elif path.suffix == ".parquet":
        yield repr(duckdb.sql(f"SELECT to_json(r)::VARCHAR FROM read_parquet('{path}') r").fetchall()).encode()
    else:
        yield path.read_bytes()
