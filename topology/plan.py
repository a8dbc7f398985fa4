"""The table of the programs that `make up` runs, with their commands and health checks. It starts nothing itself."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from sendit import keys
from sendit.ground.daemon import PidFile
from topology import projects, servers

PORTS = ("postgres", "broker", "storage", "bigquery", "identity", "web", "listener", "s3", "sftp", *projects.WEED_PORTS)
FIRST_PORT = 18200
BUCKET, COLLECTION, PROJECT = "sendit", "IRB12345", "topology"
PYTHON = sys.executable
QUIET_SECONDS = 5
"""Shorter than usual: here a study is sent by hand, and somebody waits for it."""

PEERS = """# Who may send; docs/dicom.md says what else may stand here.
[peers.anybody]
called = "*"
calling = "*"
addresses = ["127.0.0.1"]
"""
ANSWER_SECONDS = 10
"""Long enough for a program that needs six seconds to find that its database is away."""


class Unwell(Exception):
    """A program is not healthy; the message says why in a few words."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process under the process manager; `health` returns a few words about it, or raises Unwell."""

    name: str
    command: list[str]
    health: Callable[[], str]
    is_server: bool = False
    """Whether it must be healthy before the other programs start."""
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    stop_signal: str = "TERM"


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a topology: its folder, and the first of its consecutive ports."""

    folder: Path
    first_port: int = FIRST_PORT

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        """The folder with a log of each program."""
        return self.folder / "logs"

    @property
    def client_secrets(self) -> Path:
        """The gateway's client-secrets file for the identity service."""
        return self.folder / "gateway.client-secrets.json"

    def port(self, name: str) -> int:
        """Return the port of a program."""
        return self.first_port + PORTS.index(name)

    def http(self, name: str) -> str:
        """Return the base URL of a program."""
        return f"http://127.0.0.1:{self.port(name)}"

    def database(self, name: str) -> str:
        """Return a database's URL, as SENDIT_DATABASE takes it."""
        return f"postgresql://{servers.USER}@127.0.0.1:{self.port('postgres')}/{name}"

    @property
    def broker(self) -> str:
        """The broker's URL, as SENDIT_BROKER takes it."""
        return f"redis://127.0.0.1:{self.port('broker')}/0"

    def environment(self) -> dict[str, str]:
        """Return the gateway's settings, by which it uses all of these programs."""
        return {
            "SENDIT_CONFIG": os.devnull,  # not the operator's own
            "SENDIT_VAR": str(self.folder / "var"),
            "SENDIT_DATA_BASE": str(self.data),
            "SENDIT_SETTLE_SECONDS": "0.5",  # whoever tries it out copies a small folder, and looks
            "SENDIT_RUNNER": "celery",
            "SENDIT_DATABASE": self.database("sendit"),
            "SENDIT_BROKER": self.broker,
            "SENDIT_ANONYMIZE_RESTFUL": "true",
            "SENDIT_IDENTITY_URL": f"{self.http('identity')}/identifiers/api",
            "SENDIT_SOM_STUDY": COLLECTION.lower(),
            "STANFORD_CLIENT_SECRETS": str(self.client_secrets),
            "SENDIT_GOOGLE_CLOUD_STORAGE": BUCKET,
            "SENDIT_GOOGLE_STORAGE_COLLECTION": COLLECTION,
            "SENDIT_GOOGLE_PROJECT_NAME": PROJECT,
            "STORAGE_EMULATOR_HOST": self.http("storage"),
            "BIGQUERY_EMULATOR_HOST": self.http("bigquery"),
            "AWS_ACCESS_KEY_ID": projects.KEY_ID,
            "AWS_SECRET_ACCESS_KEY": projects.SECRET,
            "SENDIT_LISTENER_PORT": str(self.port("listener")),
            "SENDIT_LISTENER_QUIET_SECONDS": str(QUIET_SECONDS),
            "SENDIT_LOG_FORMAT": "json",
        }

    def identity_environment(self) -> dict[str, str]:
        """Return the identity service's settings: it has a folder, a key and a database of its own."""
        return {
            "SENDIT_VAR": str(self.folder / "identity"),
            "SENDIT_DATABASE": self.database("identity"),
            "SENDIT_RUNNER": "embedded",
            "SENDIT_ANONYMIZE_RESTFUL": "false",
            "SENDIT_GOOGLE_CLOUD_STORAGE": "",
        }

    def make_keys(self) -> None:
        """Make the keys of the gateway and of the identity service that are missing."""
        for environment in (self.environment(), self.identity_environment()):
            keys.make(Path(environment["SENDIT_VAR"]) / "secrets")

    def examples(self) -> list[projects.Example]:
        """Return the projects beside `default`."""
        return projects.examples(self.folder, BUCKET, self.http("s3"), self.port("sftp"))

    def data_of(self, project: str) -> Path:
        """Return the data folder of a project."""
        return self.folder / "data-of-projects" / project

    def make_projects(self) -> None:
        """Write the projects' files that are missing, and what their destinations are started with."""
        examples = self.examples()
        projects.write_files(examples, self.folder / "var" / "projects", self.data_of(""))
        projects.make_s3(self.folder / "s3")
        if projects.SSHD.exists():
            projects.make_sftp(self.folder / "sftp", self.port("sftp"))

    def make_peers(self) -> None:
        """Write the listener's peers file, unless there is one."""
        path = self.folder / "var" / "peers.toml"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(PEERS)


def programs(place: Place) -> Iterator[Program]:
    """Yield all programs in the order of their start."""
    yield from _servers(place)
    yield from _ours(place)


def _servers(place: Place) -> Iterator[Program]:
    postgres = servers.postgres_command(place.folder / "postgres", place.port("postgres"))
    user = servers.UNPRIVILEGED if os.geteuid() == 0 else ""
    yield Program("postgres", postgres, lambda: _postgres(place), True, user=user, stop_signal="INT")
    yield Program(
        "broker", servers.valkey_command(place.folder / "broker", place.port("broker")), lambda: _broker(place), True
    )
    for name, module, born_with in (("storage", "gcs_emulator", [BUCKET]), ("bigquery", "bigquery_emulator", [])):
        command = [PYTHON, "-m", f"topology.{module}", "127.0.0.1", str(place.port(name)), *born_with]
        yield Program(name, command, lambda name=name: _listens(place, name), True)  # type: ignore[misc]

    weed = projects.s3_command(place.folder / "s3", place.port("s3"), place.port(projects.WEED_PORTS[0]))
    alone = {"HOME": str(place.folder / "s3"), "GOMAXPROCS": "2"}
    yield Program("s3", weed, lambda: _s3(place), True, environment=alone, stop_signal="KILL")
    if projects.SSHD.exists():
        yield Program("sftp", projects.sftp_command(place.folder / "sftp"), lambda: _sftp(place), True)


def _ours(place: Place) -> Iterator[Program]:
    identity = _gunicorn(place, "identity", "sendit.identity_service.wsgi")
    own = place.identity_environment()
    yield Program("identity", identity, lambda: _answers(place, "identity", "/healthz"), environment=own)
    for queue, processes in (("process", os.cpu_count() or 1), ("deliver", 4)):
        alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        how = ["-Q", queue, "-c", str(processes), "-n", f"{queue}@topology", *alone]
        yield Program(f"worker-{queue}", [*_celery("worker"), *how], lambda queue=queue: _worker(place, queue))  # type: ignore[misc]
    yield Program("beat", _celery("beat"), lambda: "runs")
    yield Program("watcher", [PYTHON, "-m", "sendit", "start_watcher", "--foreground"], lambda: _watcher(place))
    yield Program("listener", [PYTHON, "-m", "sendit", "start_listener", "--foreground"], lambda: _listener(place))
    yield Program("web", _gunicorn(place, "web", "sendit.web.wsgi"), lambda: _answers(place, "web", "/readyz"))


def _celery(*arguments: str) -> list[str]:
    return [PYTHON, "-W", "ignore", "-m", "celery", "-q", "-A", "sendit", *arguments]


def _gunicorn(place: Place, name: str, module: str) -> list[str]:
    options = ["--workers", "1", "--threads", "4", "--preload", "--no-control-socket", "--log-level", "warning"]
    return [PYTHON, "-m", "gunicorn", "--bind", f"127.0.0.1:{place.port(name)}", *options, module]


# ------------------------------------------------------------------------------------------ health


def _postgres(place: Place) -> str:
    try:
        with psycopg.connect(place.database("postgres"), connect_timeout=2) as connection:
            (version,) = connection.execute("SHOW server_version").fetchone() or ("?",)
    except psycopg.Error:
        raise Unwell("does not answer yet") from None
    return f"PostgreSQL {version} on port {place.port('postgres')}"


def _broker(place: Place) -> str:
    try:
        version = redis.Redis.from_url(place.broker, socket_timeout=2).info("server")["redis_version"]
    except redis.RedisError:
        raise Unwell("does not answer yet") from None
    return f"Valkey, as Redis {version}, on port {place.port('broker')}"


def _listens(place: Place, name: str) -> str:
    """Check that the program answers, with whatever status."""
    try:
        urllib.request.urlopen(place.http(name), timeout=2).close()
    except urllib.error.HTTPError:
        pass
    except OSError:
        raise Unwell("does not answer yet") from None
    return f"emulator on {place.http(name)}"


def _s3(place: Place) -> str:
    if not projects.s3_is_ready(place.http("s3")):
        raise Unwell("does not take objects yet")
    return f"SeaweedFS on {place.http('s3')}"


def _sftp(place: Place) -> str:
    if not projects.sftp_is_ready(place.port("sftp")):
        raise Unwell("does not answer yet")
    return f"OpenSSH on port {place.port('sftp')}"


def _answers(place: Place, name: str, address: str) -> str:
    try:
        urllib.request.urlopen(place.http(name) + address, timeout=ANSWER_SECONDS).close()
    except urllib.error.HTTPError as error:
        raise Unwell(f"answers {error.code}: {_brief(error.read())}") from None
    except OSError:
        raise Unwell("does not answer yet") from None
    return f"{place.http(name)}{address} says ok"


def _brief(body: bytes) -> str:
    try:
        return ", ".join(f"{key} {value}" for key, value in json.loads(body).items())
    except ValueError:
        return "no JSON"


def _worker(place: Place, queue: str) -> str:
    """Check that the worker answers through the broker."""
    from celery import Celery
    from kombu.exceptions import OperationalError as TransportError

    with Celery(broker=place.broker, set_as_current=False) as asking:
        try:
            answers = asking.control.ping(destination=[f"{queue}@topology"], timeout=1)
        except TransportError:
            raise Unwell("cannot be asked without the broker") from None
    if not answers:
        raise Unwell("does not answer through the broker yet")
    return f"takes {queue} from the broker"


def _watcher(place: Place) -> str:
    holder = PidFile(place.folder / "var" / "watcher.pid").holder()
    if holder is None:
        raise Unwell("does not hold its pid file yet")
    return f"watches {place.data} and the data folders of {len(place.examples())} projects"


def _listener(place: Place) -> str:
    holder = PidFile(place.folder / "var" / "listener.pid", "Listener").holder()
    if holder is None:
        raise Unwell("does not hold its pid file yet")
    return f"takes DICOM associations on port {place.port('listener')}"
