"""The deliveries of a batch: what was made of it, for which destination, and how far each of them has come.

Every function is called inside the transaction that moves the batch, after the move, which locks the batch's row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from sendit.pipeline.record import statements
from sendit.pipeline.record.models import Delivery
from sendit.pipeline.record.states import PENDING, VOID, DeliveryState

STORE = "store"
"""The one destination of a project today: its object store, with the warehouse beside it."""


@dataclass(frozen=True, slots=True)
class MadeArchive:
    """A finished archive: its name at every destination, what it holds, its size and its checksum."""

    object_name: str
    images: int
    size_bytes: int
    crc32c: str


def add(
    batch: int,
    archive: MadeArchive,
    *,
    is_first: bool,
    generation: int = 1,
    part: int = 1,
    destination: str = STORE,
) -> None:
    """Have an archive wait for its delivery, in place of one that an earlier attempt made of the same part.

    Parameters
    ----------
    is_first : bool
        Nothing was made of the batch before, so there is nothing to look for.
    """
    where = {"generation": generation, "part": part, "destination": destination}
    earlier = None if is_first else _unfinished(batch, where)
    values = {
        "state": DeliveryState.WAITING,
        "object_name": archive.object_name,
        "images": archive.images,
        "size_bytes": archive.size_bytes,
        "crc32c": archive.crc32c,
        "made_at": timezone.now(),
    }
    if earlier is None:
        first = {"attempts": 0, "uri": "", "delivered_at": None}
        statements.insert(Delivery, {"batch": batch, **where, **first, **values})
        return
    if archive == MadeArchive(earlier.object_name, earlier.images, earlier.size_bytes, earlier.crc32c):
        values["made_at"] = earlier.made_at or values["made_at"]
    statements.update(Delivery, values, {"id": earlier.pk})


def _unfinished(batch: int, where: Mapping[str, Any]) -> Delivery | None:
    found = Delivery.objects.filter(batch=batch, **where)
    return found.exclude(state__in=(DeliveryState.DONE, *VOID)).first()


def pending(batch: int) -> list[Delivery]:
    """The deliveries that a worker still has to make, in order of their parts."""
    return list(Delivery.objects.filter(batch=batch, state__in=PENDING).order_by("part", "pk"))


def finish(delivery: Delivery, uri: str, at: datetime) -> None:
    """The archive and its rows are at the destination."""
    delivered = {"state": DeliveryState.DONE, "uri": uri, "delivered_at": at}
    statements.update(Delivery, delivered, {"id": delivery.pk})


def count_attempt(batch: int) -> None:
    """An attempt ended without a delivery."""
    Delivery.objects.filter(batch=batch, state__in=PENDING).update(attempts=F("attempts") + 1)


def fail(batch: int) -> None:
    """The destinations that have no archive yet refuse it, or it cannot be delivered to them."""
    waiting = Delivery.objects.filter(batch=batch, state__in=PENDING)
    waiting.update(attempts=F("attempts") + 1, state=DeliveryState.ERROR)


def abandon(batch: int) -> None:
    """The batch was processed again and has no archive any more; what was tried may have left something."""
    waiting = Delivery.objects.filter(batch=batch, state__in=PENDING)
    waiting.filter(attempts=0).delete()
    waiting.update(state=DeliveryState.ERROR)


def size_of_others(batch: int, generation: int) -> int:
    """The bytes of the batch's archives that were delivered before."""
    done = Delivery.objects.filter(batch=batch, generation=generation, state=DeliveryState.DONE)
    return sum(dict(done.values_list("part", "size_bytes")).values())


def mark_removed(delivery: Delivery) -> None:
    """Nothing of it is at the destination any more."""
    statements.update(Delivery, {"state": DeliveryState.REMOVED, "uri": ""}, {"id": delivery.pk})


def standing(batch: int) -> list[Delivery]:
    """What is at the destinations, in order of the parts."""
    return list(Delivery.objects.filter(batch=batch, state=DeliveryState.DONE).order_by("part", "pk"))
