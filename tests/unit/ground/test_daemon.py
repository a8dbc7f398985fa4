"""The pid file, starting and stopping a process that outlives its terminal, and its log."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendit.errors import Misconfigured
from sendit.ground import daemon
from sendit.ground.daemon import LogFile, PidFile

ROOT = Path(__file__).parents[3]
NOBODY = 2**22 + 1
"""No pid: Linux gives none over 2^22."""

HOLD = """
import sys, time
from pathlib import Path
from sendit.ground.daemon import PidFile, say_ready
PidFile(Path(sys.argv[1])).acquire()
say_ready(int(sys.argv[3]))
time.sleep(60)
"""
DEAF = HOLD.replace("import sys, time", "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
LOOK = """
import sys
from pathlib import Path
from sendit.ground.daemon import PidFile
while True:
    PidFile(Path(sys.argv[1])).holder()
"""
FAIL = "import sys; sys.exit('no')"
MUTE = "import time; time.sleep(60)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "watcher.pid"


@pytest.fixture
def pid_file(path: Path) -> Iterator[PidFile]:
    file = PidFile(path)
    yield file
    holder = file.holder()
    if holder and holder.pid != os.getpid():
        os.kill(holder.pid, signal.SIGKILL)


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def launch(script: str, path: Path, timeout_seconds: float = 30) -> int | None:
    return daemon.launch([sys.executable, "-c", script, str(path)], timeout_seconds)


def test_nobody_holds_what_is_not_there(pid_file: PidFile) -> None:
    assert pid_file.holder() is None
    assert pid_file.left_behind() is None


def test_the_holder_is_known_by_its_pid(pid_file: PidFile) -> None:
    assert pid_file.acquire() is None
    holder = PidFile(pid_file.path).holder()
    assert holder is not None and holder.pid == os.getpid()


def test_a_second_holder_is_refused(pid_file: PidFile) -> None:
    pid_file.acquire()
    with pytest.raises(Misconfigured, match=rf"WatcherRuns \(pid {os.getpid()}\)"):
        PidFile(pid_file.path).acquire()
    with pytest.raises(Misconfigured, match="WatcherRuns"):
        PidFile(pid_file.path).ensure_free()


def test_who_gives_it_back_leaves_nothing_behind(pid_file: PidFile) -> None:
    pid_file.acquire()
    pid_file.release()
    assert pid_file.holder() is None
    assert pid_file.left_behind() is None
    assert PidFile(pid_file.path).acquire() is None


@pytest.mark.parametrize("pid", [NOBODY, 1, os.getpid()], ids=["dead", "recycled", "our own"])
def test_a_stale_file_is_taken_over_whoever_has_its_pid_now(pid_file: PidFile, path: Path, pid: int) -> None:
    path.parent.mkdir()
    path.write_text(f"{pid}\n")
    assert pid_file.holder() is None
    assert pid_file.left_behind() == pid
    assert pid_file.acquire() == pid


@pytest.mark.parametrize("text", ["", "garbage\n", "-7\n", "1 2\n"])
def test_a_file_that_holds_no_pid_is_taken_over(pid_file: PidFile, path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    assert pid_file.acquire() is None
    assert path.read_text() == f"{os.getpid()}\n"


def test_a_stranger_with_the_stale_pid_is_not_stopped(pid_file: PidFile, path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", MUTE]) as stranger:
        path.parent.mkdir()
        path.write_text(f"{stranger.pid}\n")
        assert daemon.stop(pid_file, timeout_seconds=1) is None
        assert stranger.poll() is None
        stranger.kill()


def test_the_holder_says_that_it_lives(pid_file: PidFile) -> None:
    pid_file.acquire()
    os.utime(pid_file.path, (0, time.time() - 500))
    silent = pid_file.holder()
    pid_file.beat()
    heard = pid_file.holder()
    assert silent is not None and heard is not None
    assert silent.silent_seconds > 400 > heard.silent_seconds


def test_a_forked_child_does_not_hold_its_parents_lock(pid_file: PidFile) -> None:
    pid_file.acquire()
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    pid_file.release()
    try:
        assert PidFile(pid_file.path).holder() is None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_who_only_looks_does_not_keep_a_starter_out(pid_file: PidFile) -> None:
    with subprocess.Popen([sys.executable, "-c", LOOK, str(pid_file.path)]) as looker:
        try:
            for _ in range(50):
                pid_file.acquire()
                pid_file.release()
        finally:
            looker.kill()


def test_a_launched_process_is_up_in_a_session_of_its_own(pid_file: PidFile, path: Path) -> None:
    pid = launch(HOLD, path)
    holder = pid_file.holder()
    assert holder is not None and holder.pid == pid
    assert os.getsid(holder.pid) == holder.pid != os.getsid(0)


def test_stopping_waits_until_the_process_is_gone(pid_file: PidFile, path: Path) -> None:
    pid = launch(HOLD, path)
    assert daemon.stop(pid_file, timeout_seconds=10) == pid
    assert pid_file.holder() is None


def test_a_process_that_will_not_stop_is_named(pid_file: PidFile, path: Path) -> None:
    pid = launch(DEAF, path)
    with pytest.raises(Misconfigured, match=rf"WatcherStops \(pid {pid}\)"):
        daemon.stop(pid_file, timeout_seconds=0.2)


def test_a_process_that_ends_before_it_is_up_is_no_success(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert launch(FAIL, path) is None
    assert "no" in capfd.readouterr().err


def test_a_process_that_never_comes_up_is_not_left_half_up(path: Path) -> None:
    assert launch(MUTE, path, timeout_seconds=0.3) is None
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    assert not [pid for pid in children if MUTE in Path(f"/proc/{pid}/cmdline").read_text()]


def log_line(log: LogFile, text: str) -> None:
    log.emit(logging.LogRecord("sendit", logging.INFO, "", 0, text, None, None))


def test_a_full_log_is_renamed_and_the_oldest_goes(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs" / "w.log", max_bytes=100, old_files=2)
    for number in range(20):
        log_line(log, f"{number:020}")
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["w.log", "w.log.1", "w.log.2"]


def test_a_log_that_was_renamed_is_opened_anew_when_told(tmp_path: Path) -> None:
    path = tmp_path / "w.log"
    log = LogFile(path)
    log_line(log, "before")
    path.rename(tmp_path / "moved")
    log.reopen()
    log_line(log, "after")
    assert (path.read_text(), (tmp_path / "moved").read_text()) == ("after\n", "before\n")
