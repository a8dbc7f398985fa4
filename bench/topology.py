"""The production topology against the embedded one: the same batches, two workers each, on this machine."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from bench import million, studies
from bench.measure import Bar, Section, Size
from sendit import keys
from topology import plan, servers
from topology.families import end
from topology.plan import Place, Program, Unwell

WORKERS, ROUNDS = 2, 6
TINY, RENAMES = 300, 12
LEASE_SECONDS = 20
PATIENCE_SECONDS = 600

WORK = """
    SELECT avg((fields ->> 'import_seconds')::float + (fields ->> 'deidentify_seconds')::float)
         + avg((fields ->> 'deliver_seconds')::float),
           avg((fields ->> 'identify_seconds')::float) FROM pipeline_event"""

CLAIMED = "SELECT max(at) FROM pipeline_event WHERE name = 'batch.claimed'"


Found = tuple[list[Bar], list[tuple[str, ...]]]
Part = Callable[[Place, Mapping[str, str], Path], Found]


def run(scratch: Path, size: Size) -> Section:
    """Throughput, overhead of a small batch, time to the first worker, recovery."""
    scratch.chmod(0o755)
    is_full = size.copies > 1
    place = Place(scratch / "topology", _first_port())
    big = [studies.ct(scratch / "CT20", size.ct_images // 2), studies.mr(scratch / "MR20", size.mr_images // 2)]
    tiny = studies.mr(scratch / "MR0000", 1)
    parts: list[Part] = [partial(_small_batches, tiny=tiny, number=TINY if is_full else 5)]
    if is_full:  # each part starts a watcher and workers anew
        parts.insert(0, partial(_throughput, kinds=big, copies=size.copies))
        parts += [partial(_latency, tiny=tiny), partial(_recovery, study=big[0])]
    bars, rows = [], []
    with _servers(place) as settings:
        for part in parts:
            more_bars, more_rows = part(place, settings, scratch)
            bars += more_bars
            rows += more_rows
        if is_full:
            many = million.on_postgres(place.database(_database(place, "million")), scratch / "million", size)
            bars += [replace(bar, what=f"{many.title}: {bar.what}") for bar in many.bars]
    return Section(
        "The production topology: Celery, Valkey, PostgreSQL, against embedded",
        bars=bars,
        header=("", "measured"),
        rows=rows,
        notes=[
            f"{WORKERS} worker processes each; the watcher, PostgreSQL, Valkey and the identity service share the same"
            " cores. From the first claim to the last delivery, as the batches' own histories say. Worker time is"
            " workers × span ÷ batches; overhead is that without import, de-identification and delivery, so the"
            " queue, the database, the identity call, waiting, and what the others take of the cores."
        ],
    )


def _throughput(place: Place, settings: Mapping[str, str], scratch: Path, kinds: Sequence[Any], copies: int) -> Found:
    """Both do the same folders by turns; the median round counts. Embedded is SQLite and its own pseudonyms."""
    spans: dict[str, list[float]] = {"embedded": [], "celery": []}
    for round_ in range(ROUNDS):
        for name in sorted(spans, reverse=round_ % 2 == 0):  # what comes first finds the machine rested
            made = [studies.clone(kind, scratch / f"s{name}{round_}" / f"{kind.folder.name[:2]}{number}")
                    for kind in kinds for number in range(21, 21 + copies)]  # fmt: skip
            chosen = {**settings, "SENDIT_DATABASE": place.database(_database(place, f"{name}{round_}"))}
            if name == "embedded":
                chosen |= {"SENDIT_RUNNER": name, "SENDIT_DATABASE": "", "SENDIT_ANONYMIZE_RESTFUL": "false"}
            with _gateway(place, chosen, scratch / f"{name}{round_}", with_worker=name == "celery") as site:
                span = site.work([study.folder for study in made])
            spans[name].append(span)
    size_mb = copies * sum(kind.size_bytes for kind in kinds) / 1e6
    ratio = median(embedded / celery for embedded, celery in zip(*spans.values(), strict=True))
    rows = [(f"{name}, {len(made)} studies, MB/s", f"{size_mb / median(took):,.1f}") for name, took in spans.items()]
    return [Bar("throughput of Celery and PostgreSQL ÷ embedded", ratio, 0.9)], rows


def _small_batches(place: Place, settings: Mapping[str, str], scratch: Path, tiny: Any, number: int) -> Found:
    made = [studies.clone(tiny, scratch / "tiny" / f"MR{1 + n:04}").folder for n in range(number)]
    chosen = {**settings, "SENDIT_DATABASE": place.database(_database(place, "tiny"))}
    with _gateway(place, chosen, scratch / "tinysite") as site:
        span = site.work(made)
        ((work, identify),) = site.ask(WORK)
    each_ms = WORKERS * span / number * 1000
    overhead_ms = each_ms - work * 1000
    bars = [
        Bar("1-image batches over two workers", number / span, 30, "a second"),
        Bar("overhead of a 1-image batch: queue, database, identity call", overhead_ms, 60, "ms", at_most=True),
    ]
    rows = [
        ("worker time of a 1-image batch, ms", f"{each_ms:.1f}"),
        ("of that identify, ms", f"{identify * 1000:.1f}"),
    ]
    return bars, rows


def _latency(place: Place, settings: Mapping[str, str], scratch: Path, tiny: Any) -> Found:
    chosen = {**settings, "SENDIT_DATABASE": place.database(_database(place, "latency"))}
    took = []
    with _gateway(place, chosen, scratch / "latency") as site:
        for n in range(RENAMES):
            study = site.data / f"MR{1000 + n:04}"
            being_written = studies.clone(tiny, scratch / "written" / study.name).folder.rename(f"{study}.tmp7")
            time.sleep(1.0)
            renamed_at = time.time()
            being_written.rename(study)
            site.wait(lambda n=n: site.count("state = 'DONE'") == n + 1)  # type: ignore[misc]
            claimed = (
                "SELECT max(at) FROM pipeline_event WHERE name = 'batch.claimed' AND fields ->> 'state' = 'PROCESSING'"
            )
            took.append(site.moment(claimed) - renamed_at)
    worst, median = max(took), sorted(took)[len(took) // 2]
    bars = [Bar("folder renamed → PROCESSING with idle workers, the slowest", worst, 1, "s", at_most=True)]
    return bars, [("folder renamed → PROCESSING, median s", f"{median:.2f}")]


def _recovery(place: Place, settings: Mapping[str, str], scratch: Path, study: Any) -> Found:
    """A worker of another pid namespace, as another host's is: that it is dead shows only when its lease lapses."""
    chosen = {**settings, "SENDIT_DATABASE": place.database(_database(place, "recovery"))}
    chosen |= {"SENDIT_LEASE_SECONDS": str(LEASE_SECONDS)}
    elsewhere = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] if os.geteuid() == 0 else []
    with _gateway(place, chosen, scratch / "recovery", prefix=elsewhere) as site:
        big = [studies.clone(study, scratch / f"rec{n}" / f"CT{31 + n}").folder for n in range(4)]
        for folder in big:
            folder.rename(site.data / folder.name)
        site.wait(lambda: site.count("state = 'PROCESSING'") > 0)
        site.kill_worker()
        killed_at = time.time()
        site.start_worker([])
        site.wait(lambda: site.count("state = 'PROCESSING'") == 0 and site.count("state = 'DONE'") == len(big))
        took = site.moment("SELECT max(at) FROM pipeline_event WHERE name = 'batch.taken_over'") - killed_at
    what = f"recovery after kill -9 of a worker, lease {LEASE_SECONDS} s"
    return [Bar(what, took, LEASE_SECONDS + 5, "s", at_most=True)], []


# ------------------------------------------------------------------------------------------ a gateway


@dataclass
class Site:
    """A gateway's processes on a data folder of their own."""

    data: Path
    database: str
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]]

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        if self.database:
            with psycopg.connect(self.database, autocommit=True) as connection:
                return connection.execute(sql).fetchall()  # type: ignore[call-overload]
        with closing(sqlite3.connect(self.data.parent / "var" / "sendit.sqlite3")) as database:
            return database.execute(sql).fetchall()

    def moment(self, sql: str) -> float:
        """A time in seconds since 1970."""
        ((at,),) = self.ask(sql)
        return (datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at).timestamp()

    def count(self, where: str) -> int:
        return int(self.ask(f"SELECT count(*) FROM pipeline_batch WHERE {where}")[0][0])

    def wait(self, what: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while not what():
            if time.monotonic() > ends_at:
                raise TimeoutError(f"{self.ask('SELECT state, count(*) FROM pipeline_batch GROUP BY 1')}")
            time.sleep(0.1)

    def work(self, folders: Sequence[Path]) -> float:
        """Give it the folders; the seconds from the first claim to the last delivery."""
        for folder in folders:
            folder.rename(self.data / folder.name)
        self.wait(lambda: self.count("state = 'DONE'") == len(folders))
        ended = self.moment("SELECT max(at) FROM pipeline_event WHERE name = 'batch.delivered'")
        return ended - self.moment(CLAIMED.replace("max", "min"))

    def start_worker(self, prefix: Sequence[str]) -> None:
        alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        how = ["-B", "-Q", "deliver,process", "-c", str(WORKERS), "-n", f"bench{len(self.processes)}@h", *alone]
        self._start([*prefix, sys.executable, "-W", "ignore", "-m", "celery", "-q", "-A", "sendit", "worker", *how])

    def kill_worker(self) -> None:
        worker = self.processes[-1]
        end(worker)
        worker.wait()

    def _start(self, command: Sequence[str]) -> None:
        with (self.data.parent / "log").open("ab") as log:
            self.processes.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))


@contextmanager
def _gateway(
    place: Place, settings: Mapping[str, str], folder: Path, *, with_worker: bool = True, prefix: Sequence[str] = ()
) -> Iterator[Site]:
    """A watcher and a worker that are up and idle."""
    data = folder / "data"
    data.mkdir(parents=True)
    keys.make(folder / "var" / "secrets")
    environment = {**settings, "SENDIT_VAR": str(folder / "var"), "SENDIT_DATA_BASE": str(data)}
    site = Site(data, settings["SENDIT_DATABASE"], environment, [])
    subprocess.run([sys.executable, "-m", "sendit", "migrate", "-v0"], env=environment, check=True)
    site._start([sys.executable, "-m", "sendit", "start_watcher", "--foreground"])
    if with_worker:
        site.start_worker(prefix)
    site.wait(lambda: (folder / "log").read_text().count(".started") >= (2 if with_worker else 1 + WORKERS))
    time.sleep(3)  # its processes have loaded what a first batch needs
    try:
        yield site
    finally:
        for process in site.processes:
            end(process)
            process.wait()


# ------------------------------------------------------------------------------------------ servers


@contextmanager
def _servers(place: Place) -> Iterator[dict[str, str]]:
    """PostgreSQL, Valkey and the identity service; the settings of a gateway that uses them and delivers to folders."""
    (place.folder / "broker").mkdir(parents=True)
    place.make_keys()
    place.logs.mkdir()
    servers.make_postgres(place.folder / "postgres")
    programs = {program.name: program for program in plan.programs(place)}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SENDIT_")}
    running = []
    try:
        for name in ("postgres", "broker"):
            running.append(_started(programs[name], clean))
        _database(place, "identity")
        identity = {**clean, **place.identity_environment()}
        running.append(_started(programs["identity"], identity))
        _make_client(place, identity)
        cloud = [name for name in place.environment() if "GOOGLE" in name or "EMULATOR" in name]
        yield {
            **clean,
            **{name: value for name, value in place.environment().items() if name not in cloud},
            "SENDIT_WORKERS": str(WORKERS),
            "SENDIT_LOG_FORMAT": "text",
        }
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGINT)
            process.wait()


def _started(program: Program, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    how: dict[str, Any] = servers.as_unprivileged() if program.user else {}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(program.command, env={**environment, **program.environment}, cwd="/", **how, **quiet)
    ends_at = time.monotonic() + 60
    while True:
        try:
            program.health()
            return process
        except Unwell:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.1)


def _make_client(place: Place, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "sendit", "identity_client", "add", "bench", "--url", place.http("identity")]
    subprocess.run(
        [*command, "--out", str(place.client_secrets)], env=dict(environment), check=True, stdout=subprocess.DEVNULL
    )


def _database(place: Place, name: str) -> str:
    with psycopg.connect(place.database("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    return name


def _first_port() -> int:
    """The first of six in a row that nobody listens on, most likely."""
    return max(servers.free_ports(20)) - 200
