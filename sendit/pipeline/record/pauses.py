"""Pauses, on every host, until somebody resumes: of delivery, and of a project.

Delivery: batches are processed and rest at DONEPROCESSING. The setting SEND_TO_GOOGLE=false is stronger: it is not
lifted by resuming. A project: its batches wait where they are.
"""

from __future__ import annotations

from django.utils import timezone

from sendit.pipeline.record.site_models import DeliveryPause, ProjectPause
from sendit.pipeline.record.states import Job


def is_on() -> bool:
    """Return whether delivery is paused."""
    return DeliveryPause.objects.filter(pk=1, is_on=True).exists()


def holds(job: Job, project: str = "") -> bool:
    """Return whether no worker may begin the job now; what has begun is finished."""
    if project and ProjectPause.objects.filter(pk=project).exists():
        return True
    return job is Job.DELIVER and is_on()


def put(is_on: bool, actor: str) -> bool:
    """Pause or resume; return False where it was so already."""
    DeliveryPause.objects.get_or_create(pk=1)
    values = {"is_on": is_on, "actor": actor, "at": timezone.now()}
    return DeliveryPause.objects.filter(pk=1).exclude(is_on=is_on).update(**values) == 1


def paused_projects() -> frozenset[str]:
    """Return the projects that are paused."""
    return frozenset(ProjectPause.objects.values_list("name", flat=True))


def put_project(name: str, is_on: bool, actor: str) -> bool:
    """Pause or resume a project; return False where it was so already."""
    if is_on:
        return ProjectPause.objects.get_or_create(name=name, defaults={"actor": actor})[1]
    return ProjectPause.objects.filter(name=name).delete()[0] == 1
