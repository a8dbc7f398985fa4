"""The identity service as a process of its own: gunicorn on loopback, with a folder of its own."""

from __future__ import annotations

import io
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from tests.support.site import DATABASE, use_database

START_SECONDS = 60


class IdentityServer:
    """A context manager; a test fails, and says why, where the server does not start."""

    def __init__(self, var: Path, key: bytes, database: str = "") -> None:
        self.var = var
        self._database = database or f"sqlite:///{var / DATABASE}"
        (var / "secrets").mkdir(mode=0o700, parents=True)
        (var / "secrets" / "pseudonym.key").write_bytes(key)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.origin}/identifiers/api"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> IdentityServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Come up, or come back."""
        options = ["--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--threads", "4"]
        quietly = ["--preload", "--no-control-socket", "--log-level", "error"]
        command = [sys.executable, "-m", "gunicorn", *options, *quietly, "sendit.identity_service.wsgi"]
        self._said = (self.var / "gunicorn.log").open("ab")
        self._process = subprocess.Popen(
            command, env=self._environment(), stdout=self._said, stderr=self._said, process_group=0
        )
        gives_up_at = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > gives_up_at:
                self.kill()
                pytest.fail(f"the identity service does not start: {(self.var / 'gunicorn.log').read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, to all of its processes."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._said.close()
            self._process = None

    def client(self, name: str, folder: Path) -> Path:
        """A new client's secrets, as its operator gets them."""
        path = folder / f"{name}.json"
        with (
            override_settings(SITE=replace(settings.SITE, var=self.var, secrets="")),
            use_database(self._database),
        ):
            call_command("identity_client", "add", name, url=self.origin, out=str(path), stdout=io.StringIO())
        return path

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Straight from, or into, its database."""
        with sqlite3.connect(self.var / DATABASE, timeout=30) as connection:
            return connection.execute(sql, values).fetchall()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.origin}/healthz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith(("SENDIT_", "STANFORD_"))}
        place = {"SENDIT_VAR": str(self.var), "SENDIT_DATABASE": self._database}
        return {**others, **place, "PYTHONPATH": str(Path(__file__).parents[1])}
