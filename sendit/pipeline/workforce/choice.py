"""Who works on batches: local processes, or Celery's on any host. The one place where the setting RUNNER chooses."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from django.conf import settings

from sendit.errors import Misconfigured
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce.supervisor import Supervisor

if TYPE_CHECKING:
    from sendit.pipeline.intake.watcher import Workforce


def is_embedded() -> bool:
    """Whether local processes work, and a command waits for them."""
    return bool(settings.SITE.runner == "embedded")


def jobs() -> tuple[Job, ...]:
    """What is done to batches without being asked for: they are delivered unless SEND_TO_GOOGLE says no."""
    return (Job.DELIVER, Job.PROCESS) if settings.SITE.send_to_google else (Job.PROCESS,)


def workforce() -> AbstractContextManager[Workforce]:
    """For as long as the context lasts."""
    if is_embedded():
        return Supervisor(settings.SITE.workers, jobs(), waits=True)
    doorbells: AbstractContextManager[Workforce] = _doorbell().Doorbells(jobs())
    return doorbells


def wake(job: Job) -> None:
    """Say that there is work to those who do not look for it themselves.

    Raises
    ------
    ServiceDown
        `BrokerDown`: it is said again, by beat or the watcher, when the broker is back.
    """
    if not is_embedded():
        _doorbell().ring(job)


def messages() -> dict[str, int] | None:
    """How many messages wait in the broker, by queue; None where there is no broker. Raises ServiceDown."""
    rings: dict[str, int] | None = None if is_embedded() else _doorbell().rings()
    return rings


def _doorbell() -> ModuleType:
    """An embedded site needs neither Celery nor redis-py."""
    try:
        return import_module("sendit.pipeline.workforce.doorbell")
    except ImportError:
        raise Misconfigured("MissingPackage", subject="SENDIT_RUNNER: sendit[celery]") from None
