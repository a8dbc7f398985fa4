"""The unit files that `init --systemd` writes: systemd takes them, and finds them confined."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from sendit.ground.service_manager import ALIVE, READY, notify
from tests.support.shell import run
from tests.support.site import Site

MOST_EXPOSED = 25
"""Tenths of what `systemd-analyze security` says of a service: 10.0 is a process that may do everything."""


@pytest.fixture
def units(site: Site) -> list[Path]:
    site.set(RUNNER="celery")
    ran = run("init", "--systemd")
    assert "systemctl enable --now sendit-watcher sendit-web" in ran.out
    return sorted((site.var / "systemd").iterdir())


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_systemd_takes_them(units: list[Path]) -> None:
    assert len(units) == 6
    done = analyze("verify", "--man=no", *units)
    said = [line for line in done.stderr.splitlines() if any(unit.name in line for unit in units)]
    assert (done.returncode, said) == (0, [])


def test_systemd_finds_them_confined(units: list[Path]) -> None:
    for unit in units:
        done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)
        assert done.returncode == 0, done.stdout[-500:] + done.stderr


def test_they_write_to_var_and_data_alone_as_a_user_of_their_own(site: Site, units: list[Path]) -> None:
    for unit in units:
        text = unit.read_text()
        assert re.findall(r"^(?:User|ReadWritePaths|ProtectSystem|NoNewPrivileges)=.*", text, re.M) == [
            "User=sendit",
            "ProtectSystem=strict",
            f"ReadWritePaths=-{site.data} -{site.var}",
            "NoNewPrivileges=true",
        ]
        assert f"Environment=SENDIT_CONFIG={site.var}/sendit.toml" in text and "EnvironmentFile=" in text


def test_a_service_tells_systemd_that_it_is_ready_and_lives(site: Site, tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(60)
        options = site.options()
        options["env"] = {**os.environ, "NOTIFY_SOCKET": str(address)}
        watcher = subprocess.Popen(site.command("start_watcher", "--foreground"), **options)
        try:
            assert [manager.recv(100).decode() for _ in range(3)] == [READY, ALIVE, ALIVE]
        finally:
            watcher.terminate()
            watcher.communicate(timeout=60)


def test_without_a_service_manager_nothing_happens(tmp_path: Path) -> None:
    notify(READY, "")
    notify(READY, str(tmp_path / "nobody"))
