"""Real servers for tests: PostgreSQL and Valkey on loopback, that can be killed, frozen and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis

from topology import servers
from topology.families import descendants_of, kill

READY_SECONDS = 120
FASTEST = "/dev/shm" if os.path.isdir("/dev/shm") else None


def wait_until(what: Callable[[], object], seconds: float = 30, why: str = "it did not happen") -> None:
    """Wait for something to be true; an exception of a server that is not up yet is a no."""
    ends_at = time.monotonic() + seconds
    while True:
        try:
            if what():
                return
        except (psycopg.Error, redis.RedisError) as error:
            why = f"{why}: {type(error).__name__}"
        assert time.monotonic() < ends_at, why
        time.sleep(0.02)


class Server:
    """One server process on a folder of its own, which stays when the process is killed."""

    STOP = signal.SIGTERM
    """What ends it in good order. Not SIGINT, which whoever is started in the background of a shell does not hear."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="sendit-server-", dir=FASTEST))
        (self.port,) = servers.free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd="/", **self.options())
        wait_until(self.answers, READY_SECONDS, f"{type(self).__name__} does not start: {self.folder / 'log'}")

    def command(self) -> list[str]:
        raise NotImplementedError

    def options(self) -> Mapping[str, Any]:
        return {}

    def answers(self) -> bool:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether nobody ended it."""
        return self._process is not None and self._process.poll() is None

    def end(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal that ends it, and wait."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(READY_SECONDS)
            self._process = None

    def remove(self) -> None:
        """End it in good order, with all of its processes, and remove what it kept."""
        self.end(self.STOP)
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    """PostgreSQL; on a memory file system its disk is fast, and still survives what the process does not."""

    STOP = signal.SIGINT
    """It hears in any case; at SIGTERM it would wait for its clients."""

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        super().__init__(folder)
        self._settings = settings
        self._made = 0
        self.template = "template1"
        self._fill()

    def _fill(self) -> None:
        servers.make_postgres(self.folder)

    def command(self) -> list[str]:
        return servers.postgres_command(self.folder, self.port, **self._settings)

    def options(self) -> Mapping[str, Any]:
        return servers.as_unprivileged()

    def url(self, name: str) -> str:
        """As SENDIT_DATABASE says it."""
        return f"postgresql://{servers.USER}@127.0.0.1:{self.port}/{name}"

    def answers(self) -> bool:
        return bool(self.ask("postgres", "SELECT 1"))

    def ask(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=2) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str) -> str:
        """A new database; its name."""
        self._made += 1
        name = f"sendit_{os.getpid()}_{self._made}"
        self.ask("postgres", f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    @contextmanager
    def copy(self) -> Iterator[str]:
        """A copy of the template for a while; its name."""
        name = self.create(self.template)
        yield name
        self.ask("postgres", f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def owned(self) -> Iterator[str]:
        """An empty database for a while, and an account of its own that is no superuser; its URL."""
        name = self.create("template0")
        self.ask("postgres", f"CREATE ROLE {name} LOGIN")
        self.ask("postgres", f"ALTER DATABASE {name} OWNER TO {name}")
        yield f"postgresql://{name}@127.0.0.1:{self.port}/{name}"
        self.ask("postgres", f"DROP DATABASE {name} WITH (FORCE)")
        self.ask("postgres", f"DROP ROLE {name}")

    def run(self, program: str, *arguments: str, given: bytes = b"") -> bytes:
        """One of PostgreSQL's own programs on this server; what it says."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", servers.USER]
        command = [servers.postgres_programs() / program, *where, *arguments]
        return subprocess.run(command, input=given, capture_output=True, check=True).stdout

    def texts(self, name: str) -> str:
        """Everything that stands in a database's tables, as text."""
        tables = self.ask(name, "SELECT relname FROM pg_stat_user_tables")
        return "\n".join(str(row) for (table,) in tables for row in self.ask(name, f"SELECT t::text FROM {table} t"))


class Standby(Postgres):
    """A copy of another server that follows it, until it is promoted."""

    def __init__(self, primary: Postgres) -> None:
        self._primary = primary
        super().__init__()

    def _fill(self) -> None:
        os.chmod(self.folder, 0o700)
        if os.geteuid() == 0:
            shutil.chown(self.folder, servers.UNPRIVILEGED)
        where = ["-h", "127.0.0.1", "-p", str(self._primary.port), "-U", servers.USER, "-D", str(self.folder)]
        command = [servers.postgres_programs() / "pg_basebackup", *where, "-R", "-X", "stream", "-c", "fast"]
        subprocess.run(command, cwd="/", check=True, capture_output=True, **servers.as_unprivileged())

    def promote(self) -> None:
        """From now on it is the one that writes."""
        self.ask("postgres", "SELECT pg_promote()")


class Valkey(Server):
    """The broker."""

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options

    def command(self) -> list[str]:
        return servers.valkey_command(self.folder, self.port, *self._options)

    @property
    def url(self) -> str:
        """As SENDIT_BROKER says it."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        """A connection of the test's own."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def answers(self) -> bool:
        return bool(self.client.ping())

    def texts(self) -> str:
        """Everything that it holds, as text."""
        client = self.client
        return "\n".join(f"{key!r} {self._value(client, key)!r}" for key in client.scan_iter())

    def _value(self, client: redis.Redis, key: bytes) -> object:
        read: dict[bytes, Callable[[bytes], object]] = {
            b"string": client.get,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"hash": client.hgetall,
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            b"set": client.smembers,
        }
        return read[client.type(key)](key)


class Cluster:
    """Celery's processes, for a site that has RUNNER=celery."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            _kill_tree(process)

    def worker(self, *options: str, queues: str = "process,deliver", processes: int = 2) -> subprocess.Popen[bytes]:
        """A worker, with beat in it, as is enough for a test."""
        alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        name = f"{len(self.processes)}@test"
        return self.run(
            "-W",
            "ignore",
            "-m",
            "celery",
            "-A",
            "sendit",
            "worker",
            "-B",
            "-Q",
            queues,
            "-c",
            str(processes),
            "-n",
            name,
            *alone,
            *options,
        )

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Python with the arguments; what it says is in `said`."""
        with open(self._folder / f"process-{len(self.processes)}.log", "wb") as log:
            command = [sys.executable, *arguments]
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        return self.processes[-1]

    def said(self) -> str:
        """By all of them."""
        return "\n".join(path.read_text() for path in sorted(self._folder.glob("process-*.log")))


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    for pid in (process.pid, *descendants_of(process.pid)):
        kill(pid)
    process.wait(READY_SECONDS)
