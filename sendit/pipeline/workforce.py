"""Who works on batches: local processes, or Celery's on any host. The one place where the setting RUNNER chooses."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from types import ModuleType
from typing import Protocol

from django.conf import settings

from sendit.errors import Misconfigured
from sendit.pipeline.leases import Job
from sendit.pipeline.pool import Pool


class Workforce(Protocol):
    """What the watcher gives batches to."""

    @property
    def is_busy(self) -> bool:
        """Whether there is work in its own hands."""

    def warm_up(self) -> None:
        """Be ready for the next batch."""

    def tick(self, timeout_seconds: float) -> bool:
        """Give out what may be claimed, hear for at most so long; whether anything was given out."""


def is_embedded() -> bool:
    """Whether local processes work, and a command waits for them."""
    return bool(settings.RUNNER == "embedded")


def jobs() -> tuple[Job, ...]:
    """What is done to batches without being asked for: they are delivered unless SEND_TO_GOOGLE says no."""
    return (Job.DELIVER, Job.PROCESS) if settings.SEND_TO_GOOGLE else (Job.PROCESS,)


def workforce() -> AbstractContextManager[Workforce]:
    """For as long as the context lasts."""
    if is_embedded():
        return Pool(settings.WORKERS, jobs())
    dispatcher: AbstractContextManager[Workforce] = _dispatch().Dispatcher(jobs())
    return dispatcher


def wake(job: Job) -> None:
    """Say that there is work to those who do not look for it themselves.

    Raises
    ------
    ServiceDown
        `BrokerDown`: it is said again, by beat or the watcher, when the broker is back.
    """
    if not is_embedded():
        _dispatch().dispatch(job)


def messages() -> dict[str, int] | None:
    """How many messages wait in the broker, by queue; None where there is no broker. Raises ServiceDown."""
    depths: dict[str, int] | None = None if is_embedded() else _dispatch().depths()
    return depths


def _dispatch() -> ModuleType:
    """An embedded site needs neither Celery nor redis-py."""
    try:
        return import_module("sendit.pipeline.dispatch")
    except ImportError:
        raise Misconfigured("MissingPackage", subject="SENDIT_RUNNER: sendit[celery]") from None
