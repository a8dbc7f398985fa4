"""`start_watcher`: finished folders are processed and delivered as they come."""

from __future__ import annotations

import logging
import signal
import sys
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path
from types import TracebackType
from typing import Any

from django.conf import settings

from sendit.errors import SenditError, place_of
from sendit.ground import daemon, database, events, logs
from sendit.ground.commands import DatabaseCommand
from sendit.pipeline.intake.presence import watcher_pid_file
from sendit.pipeline.intake.watcher import Watcher
from sendit.pipeline.operations import start_watcher
from sendit.pipeline.workforce.choice import workforce
from sendit.projects import composition
from sendit.projects.composition import Projects


class Command(DatabaseCommand):
    """Watch the data folder in the background; process and deliver what comes, until stop_watcher."""

    help = (
        "Watch the data folder: process and deliver finished folders as they come, in the background, until "
        "stop_watcher. Logs: VAR/logs/watcher.log."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "--foreground",
            action="store_true",
            help="stay in the foreground and log to standard error: for a service manager",
        )
        parser.add_argument("--ready-fd", type=int, help=SUPPRESS)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """For a service manager, which may start it before the database: wait rather than end."""
        if options["foreground"] and options["ready_fd"] is None:
            logs.silence_libraries()
            with logs.written_to(sys.stderr, settings.SITE.log_format):
                database.wait_until_ready("watcher.blind", "watcher.sees")
        return super().execute(*args, **options)

    def handle(self, *args: Any, foreground: bool, ready_fd: int | None, **options: Any) -> None:
        """Be the watcher, or start it in a process of its own and wait until it is up."""
        if foreground:
            watch(watcher_pid_file(settings.SITE.var), ready_fd)
            return
        pid = start_watcher(settings.SITE.var)
        self.stdout.write(f"The watcher runs (pid {pid}). Its log is {log_path()}.")


def log_path() -> Path:
    """Where the watcher in the background logs."""
    folder: Path = settings.SITE.logs_folder
    return folder / "watcher.log"


def watch(pid_file: daemon.PidFile, ready_fd: int | None) -> None:
    """Be the watcher until SIGTERM or SIGINT, with the pid file held."""
    projects = Projects(settings.SITE)
    composition.recipe(projects.default.project)  # a bad one is refused now rather than by every batch
    left_behind = pid_file.acquire()
    signals: list[int] = []
    watcher = Watcher(projects, workforce, lambda: bool(signals), pid_file.beat)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda heard, frame: signals.append(heard))
    sys.excepthook = _say_failure
    with logs.written_by(_log(in_file=ready_fd is not None), settings.SITE.log_format):
        if left_behind:
            events.log("watcher.died", pid=left_behind)
        if ready_fd is not None:
            daemon.say_ready(ready_fd)
        _run(watcher)
    pid_file.release()


def _log(in_file: bool) -> logging.Handler:
    """Where to; SIGHUP opens a file anew, says nothing to a service manager's pipe, and ends with a terminal."""
    if not in_file:
        if not sys.stderr.isatty():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return logging.StreamHandler(sys.stderr)
    log = daemon.LogFile(log_path())
    signal.signal(signal.SIGHUP, lambda number, frame: log.reopen())
    return log


def _run(watcher: Watcher) -> None:
    try:
        watcher.run()
    except SenditError as error:
        events.log("watcher.failed", failure=error.code, place=place_of(error))
        raise


def _say_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of a traceback, which quotes: what failed, and where."""
    events.log("watcher.failed", failure=kind.__name__, place=place_of(error))
