"""The pause of delivery: batches are processed and rest at DONEPROCESSING until somebody resumes it, on every host.

The setting SEND_TO_GOOGLE=false is stronger: it is not lifted by resuming.
"""

from __future__ import annotations

from django.utils import timezone

from sendit.pipeline.record.models import DeliveryPause
from sendit.pipeline.record.states import Job


def is_on() -> bool:
    """Return whether delivery is paused."""
    return DeliveryPause.objects.filter(pk=1, is_on=True).exists()


def holds(job: Job) -> bool:
    """Return whether no worker may begin the job now; what has begun is finished."""
    return job is Job.DELIVER and is_on()


def put(is_on: bool, actor: str) -> bool:
    """Pause or resume; return False where it was so already."""
    DeliveryPause.objects.get_or_create(pk=1)
    values = {"is_on": is_on, "actor": actor, "at": timezone.now()}
    return DeliveryPause.objects.filter(pk=1).exclude(is_on=is_on).update(**values) == 1
