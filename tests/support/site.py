"""A deployment of its own for a test: in this process by overridden settings, in others by the environment."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pytest
from django.conf import settings as djangos
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from sendit import keys, settings
from sendit.ground.database import disconnect
from sendit.projects import composition
from sendit.projects.composition import Ports, Projects
from sendit.projects.site import SETTINGS, variable
from sendit.projects.site import Site as Settings
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
        self.set(VAR=self.var, DATA_BASE=self.data, SETTLE_SECONDS=0.0, QUEUE_SETTLE_SECONDS=0.0, WORKERS=2)
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
        texts = {name: ",".join(map(str, one)) if isinstance(one, tuple) else str(one) for name, one in values.items()}
        parsed = {name.lower(): SETTINGS[name].parse(text) for name, text in texts.items()}
        self._stack.enter_context(override_settings(SITE=replace(self.settings, **parsed)))
        for name, text in texts.items():
            self._monkeypatch.setenv(variable(name), text)
        if tasks := sys.modules.get("sendit.pipeline.workforce.tasks"):  # which made its own when it was imported
            self._monkeypatch.setattr(tasks, "PROJECTS", self.projects)

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return djangos.SITE

    @property
    def projects(self) -> Projects:
        """What a process would be started with now."""
        return Projects(self.settings)

    @property
    def ports(self) -> Ports:
        """Those of the default project."""
        return self.projects.default

    def replace(self, **ports: Any) -> None:
        """Put other objects in the place of ports (`object_store=…`), for whatever this process does from now on."""
        for name, port in ports.items():
            assert hasattr(Ports, name), name
            self._monkeypatch.setattr(composition, name, lambda *_, port=port: port)

    @property
    def outbox(self) -> Path:
        """Where a batch's archive and rows wait: `outbox/<primary key>`."""
        return self.settings.outbox_folder

    def project(self, name: str, text: str = "") -> Path:
        """Write the file of a project; one that says no data folder takes the studies of the site's."""
        file = self.settings.projects_folder / f"{name}.toml"
        file.parent.mkdir(exist_ok=True)
        folders = "" if "data_folders" in text or name == "default" else f'data_folders = ["{self.data}"]\n'
        file.write_text(folders + text, encoding="utf-8")
        return file

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
        """Every finished folder becomes a batch, and those that have grown are queued again; their primary keys."""
        from sendit.pipeline import operations
        from sendit.pipeline.record.models import Batch

        projects = self.projects
        operations.queue_of(projects.names, projects, self.settings.queue_settle_seconds, None, "command")
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

    def attempt(self, key: int, job: Any, *observer: Any) -> Any:
        """One attempt at a batch in this process, by whatever `runner.attempt` is now."""
        from sendit.pipeline.workforce import runner

        return runner.attempt(key, job, self.projects, *observer)

    def claim(self, key: int, job: Any, *observer: Any) -> Any:
        """A lease on a batch on the site's terms."""
        from sendit.pipeline.record.leases import LeaseTerms, claim

        return claim(key, job, LeaseTerms.of(self.settings), *observer)

    def _attempt(self, keys: list[int], job: Any) -> list[Any]:
        from sendit.pipeline.record.models import Batch

        for key in keys:
            self.attempt(key, job)
        return list(Batch.objects.filter(pk__in=keys).order_by("pk"))


def delivery_of(batch: Any) -> Any:
    """The one delivery of a batch."""
    return batch.deliveries.get()


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
