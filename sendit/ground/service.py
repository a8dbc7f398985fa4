"""The frame of a command that serves until it is stopped: in the foreground, or in a process of its own."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol

from django.conf import settings

from sendit.errors import Misconfigured, SenditError, place_of
from sendit.ground import daemon, database, events, logs
from sendit.ground.commands import NEEDS_A_LOOK, DatabaseCommand
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.service_manager import ALIVE, READY, notify


class Service(Protocol):
    """Something that runs until it must stop."""

    def run(self) -> None:
        """Run; returns when it must stop."""


def launch(service: str, pid_file: daemon.PidFile) -> int:
    """Start a service in a process of its own and wait until it is up; returns its pid.

    Raises Misconfigured("WatcherRuns") and the like if it runs, and ("WatcherFailed") if it does not come up.
    """
    pid_file.ensure_free()
    pid = daemon.launch((sys.executable, "-m", "sendit", f"start_{service}", "--foreground"))
    if pid is None:
        raise Misconfigured(f"{service.capitalize()}Failed")
    return pid


class ServiceCommand(DatabaseCommand):
    """The base of `start_…`: a subclass names the service and makes it."""

    service: ClassVar[str]
    """The service's name, in its events, its log and its error codes: `watcher`."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--foreground",
            action="store_true",
            help="stay in the foreground and log to standard error: for a service manager",
        )
        parser.add_argument("--ready-fd", type=int, help=SUPPRESS)

    def pid_file(self) -> daemon.PidFile:
        """Return the file that says which process the service is."""
        raise NotImplementedError

    def make(self, must_stop: Callable[[], bool], beat: Callable[[], None]) -> Service:
        """Make the service. What is wrong with the deployment is refused here, before anything is served."""
        raise NotImplementedError

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Wait for the database, rather than end, if a service manager starts this before it."""
        if options["foreground"] and options["ready_fd"] is None:
            logs.silence_libraries()
            with logs.written_to(sys.stderr, settings.SITE.log_format):
                database.wait_until_ready(f"{self.service}.blind", f"{self.service}.sees")
        return super().execute(*args, **options)

    def handle(self, *args: Any, foreground: bool, ready_fd: int | None, **options: Any) -> None:
        """Be the service, or start it in a process of its own and wait until it is up."""
        pid_file = self.pid_file()
        if foreground:
            self._serve(pid_file, ready_fd)
            return
        pid = launch(self.service, pid_file)
        self.stdout.write(f"The {self.service} runs (pid {pid}). Its log is {self._log_path()}.")

    def _serve(self, pid_file: daemon.PidFile, ready_fd: int | None) -> None:
        """Be the service until SIGTERM or SIGINT, with the pid file held."""
        signals: list[int] = []
        pid_file.ensure_free()
        service = self.make(lambda: bool(signals), lambda: _beat(pid_file))
        left_behind = pid_file.acquire()
        notify(READY)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda heard, frame: signals.append(heard))
        sys.excepthook = self._say_failure
        threading.excepthook = lambda hook: self._say_failure(hook.exc_type, hook.exc_value or hook.exc_type(), None)
        with logs.written_by(self._log(in_file=ready_fd is not None), settings.SITE.log_format):
            if left_behind:
                events.log(f"{self.service}.died", pid=left_behind)
            if ready_fd is not None:
                daemon.say_ready(ready_fd)
            self._run(service)
        pid_file.release()

    def _log_path(self) -> Path:
        folder: Path = settings.SITE.logs_folder
        return folder / f"{self.service}.log"

    def _log(self, in_file: bool) -> logging.Handler:
        """Return where the service logs to; SIGHUP reopens a file, and ends a service on a terminal."""
        if not in_file:
            if not sys.stderr.isatty():
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            return logging.StreamHandler(sys.stderr)
        log = daemon.LogFile(self._log_path())
        signal.signal(signal.SIGHUP, lambda number, frame: log.reopen())
        return log

    def _run(self, service: Service) -> None:
        try:
            service.run()
        except SenditError as error:
            events.log(f"{self.service}.failed", failure=error.code, place=place_of(error))
            raise

    def _say_failure(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Log what failed and where, in place of a traceback, which quotes values."""
        events.log(f"{self.service}.failed", failure=kind.__name__, place=place_of(error))


def _beat(pid_file: daemon.PidFile) -> None:
    """Say that the service lives: to whoever looks at its pid file, and to a service manager."""
    pid_file.beat()
    notify(ALIVE)


class StopCommand(ShellCommand):
    """The base of `stop_…`: a subclass names the service and how long its end may take."""

    service: ClassVar[str]
    patience_seconds: ClassVar[float]
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the option."""
        parser.add_argument(
            "--timeout",
            metavar="SECONDS",
            type=float,
            default=self.patience_seconds,
            help="how long to wait (default: %(default)s)",
        )

    def pid_file(self) -> daemon.PidFile:
        """Return the file that says which process the service is."""
        raise NotImplementedError

    def handle(self, *args: Any, timeout: float, **options: Any) -> None:
        """Stop the service, and wait until it has ended; exit code 1 if none runs."""
        pid = daemon.stop(self.pid_file(), timeout)
        if pid is None:
            self.stdout.write(f"No {self.service} runs.")
            sys.exit(NEEDS_A_LOOK)
        self.stdout.write(f"The {self.service} (pid {pid}) has stopped.")
