"""The deliveries of a batch: what was made of it, for which destination, and how far each of them has come.

Every function is called inside the transaction that moves the batch, after the move, which locks the batch's row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from sendit.errors import ServiceRefused
from sendit.pipeline.record import clock, statements
from sendit.pipeline.record.models import Batch, Delivery
from sendit.pipeline.record.states import PENDING, VOID, DeliveryState, State

STORE = "store"
"""What versions that knew one destination called it: the first one of the project."""

DELIVER = "deliver"
"""The stage of errors that come of a delivery."""

MOST_POSTPONEMENTS = 10_000
"""No more are counted: a destination may be away for months."""


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
    destinations: Sequence[str],
    *,
    is_first: bool,
    generation: int = 1,
    part: int = 1,
) -> None:
    """Have an archive wait for its delivery to each destination, in place of what an earlier attempt made of the part.

    Parameters
    ----------
    destinations : sequence of str
        The rows are loaded with the first.
    is_first : bool
        Nothing was made of the batch before, so there is nothing to look for.

    Raises
    ------
    ServiceRefused
        `ObjectConflict`: a destination has another archive of this part already.
    """
    where = {"batch": batch, "generation": generation, "part": part}
    earlier = {} if is_first else {row.destination: row for row in Delivery.objects.filter(**where).exclude(_IS_VOID)}
    loads_rows = not any(row.loads_rows and row.state == DeliveryState.DONE for row in earlier.values())
    for destination in destinations:
        row = earlier.pop(destination, None) or earlier.pop(STORE if destination == destinations[0] else "", None)
        if row is None:
            _wait(where | {"destination": destination, "loads_rows": loads_rows}, archive)
        elif row.state != DeliveryState.DONE:
            _wait_again(row, destination, archive, loads_rows)
        elif archive != _of(row):
            raise ServiceRefused("ObjectConflict")
        loads_rows = False
    for row in earlier.values():
        if row.state != DeliveryState.DONE:
            give_up(row)


_IS_VOID = Q(state__in=VOID)


def _of(row: Delivery) -> MadeArchive:
    return MadeArchive(row.object_name, row.images, row.size_bytes, row.crc32c)


def _wait(where: Mapping[str, Any], archive: MadeArchive) -> None:
    first = {"attempts": 0, "uri": "", "delivered_at": None, "postponements": 0, "code": ""}
    statements.insert(Delivery, {**where, **first, **_waiting(archive)})


def _wait_again(row: Delivery, destination: str, archive: MadeArchive, loads_rows: bool) -> None:
    values = _waiting(archive) | {"destination": destination, "loads_rows": loads_rows, "not_before": None, "code": ""}
    if archive == _of(row):
        values["made_at"] = row.made_at or values["made_at"]
    statements.update(Delivery, values, {"id": row.pk})


def _waiting(archive: MadeArchive) -> dict[str, Any]:
    return {
        "state": DeliveryState.WAITING,
        "object_name": archive.object_name,
        "images": archive.images,
        "size_bytes": archive.size_bytes,
        "crc32c": archive.crc32c,
        "made_at": timezone.now(),
    }


def give_up(row: Delivery) -> None:
    """It goes nowhere any more; what was tried may have left something, and the rows are loaded with another one."""
    _write(row, state=DeliveryState.LEFT)
    _hand_on_rows(row)


def _hand_on_rows(row: Delivery) -> None:
    if not row.loads_rows:
        return
    _write(row, loads_rows=False)
    others = Delivery.objects.filter(batch=row.batch_id, generation=row.generation, part=row.part).exclude(pk=row.pk)
    heir = others.exclude(_IS_VOID).order_by("pk").first()
    if heir is not None:
        _write(heir, state=DeliveryState.WAITING, loads_rows=True, not_before=None)


def redirect(rows: Sequence[Delivery], untried: Sequence[Delivery], destinations: Sequence[str]) -> None:
    """Have what was never tried wait for these destinations instead, as far as none of the others is to one of them."""
    if not untried:
        return
    known = {row.destination for row in rows}
    first, archive = rows[0], _of(rows[0])
    where = {"batch": first.batch_id, "generation": first.generation, "part": first.part, "loads_rows": False}
    for destination in destinations:
        if destination not in known:
            _wait(where | {"destination": destination}, archive)
    for row in untried:
        _hand_on_rows(row)
        row.delete()


def of_part(batch: int) -> list[Delivery]:
    """The deliveries of the part that a worker still has to make, those that are made among them; in their order.

    Of the last part, where a worker made all of them and could not say so of the batch; none of one that nobody has.
    """
    rows = _standing(batch)
    waiting = next((row for row in rows if row.state in PENDING), None)
    if waiting is None:
        last = _of_same_part(rows, rows[-1]) if rows else []
        return last if is_delivered(last) else []
    return _of_same_part(rows, waiting)


def pending(batch: int) -> list[Delivery]:
    """The deliveries that a worker still has to make."""
    return are_pending(of_part(batch))


def _standing(batch: int) -> list[Delivery]:
    return list(Delivery.objects.filter(batch=batch).exclude(_IS_VOID).order_by("generation", "part", "pk"))


def _of_same_part(rows: Sequence[Delivery], one: Delivery) -> list[Delivery]:
    return [row for row in rows if (row.generation, row.part) == (one.generation, one.part)]


def of_last_part(batch: int) -> list[Delivery]:
    """The deliveries of the part that has just been tried, whether any of them still waits or not."""
    rows = _standing(batch)
    return _of_same_part(rows, rows[-1]) if rows else []


def are_pending(rows: Iterable[Delivery]) -> list[Delivery]:
    """Those that a worker still has to make."""
    return [row for row in rows if row.state in PENDING]


def are_due(rows: Iterable[Delivery]) -> list[Delivery]:
    """Those that are to be made now; all that wait, where somebody takes up the batch before any of them is due."""
    waiting, now = are_pending(rows), clock.soon()
    return [row for row in waiting if row.not_before is None or row.not_before <= now] or waiting


def are_refused(rows: Iterable[Delivery]) -> list[Delivery]:
    """Those that their destinations refuse."""
    return [row for row in rows if row.state == DeliveryState.ERROR]


def is_delivered(rows: Iterable[Delivery]) -> bool:
    """Whether a destination has the archive, so that it can be no other one any more."""
    return any(row.state == DeliveryState.DONE for row in rows)


def finish(delivery: Delivery, uri: str, at: datetime) -> None:
    """The archive is at the destination, and its rows are loaded if they are to be with it."""
    _write(delivery, state=DeliveryState.DONE, uri=uri, delivered_at=at, code="", not_before=None)


def postpone(delivery: Delivery, code: str, until: datetime, *, was_tried: bool = True) -> None:
    """The destination is down: it is tried again later."""
    tried = int(was_tried)
    _write(
        delivery,
        code=code,
        not_before=until,
        attempts=delivery.attempts + tried,
        postponements=min(delivery.postponements + tried, MOST_POSTPONEMENTS),
    )


def refuse(delivery: Delivery, code: str) -> None:
    """The destination refuses the archive, or it cannot be delivered to it."""
    _write(delivery, code=code, attempts=delivery.attempts + 1, state=DeliveryState.ERROR, not_before=None)


def _write(delivery: Delivery, **values: Any) -> None:
    statements.update(Delivery, values, {"id": delivery.pk})
    for name, value in values.items():
        setattr(delivery, name, value)


class DeliveriesWait(Exception):
    """Some destinations are down.

    Attributes
    ----------
    code : str
        Why that one of them waits that is tried first.
    until : datetime or None
    postponements : int
    """

    def __init__(self, waiting: Sequence[Delivery]) -> None:
        first = min(waiting, key=lambda one: (one.not_before is not None, one.not_before))
        self.code, self.until = first.code, first.not_before
        self.postponements = max(one.postponements for one in waiting)


def is_kept_for_retry(batch: Batch) -> bool:
    """Whether the batch is in ERROR by a destination, while another one has the archive: it is delivered as it is."""
    failed = batch.state == State.ERROR and bool(batch.errors) and batch.errors[0]["stage"] == DELIVER
    return failed and is_delivered(of_last_part(batch.pk))


def reopen(batch: int) -> None:
    """Have what destinations refuse wait again; where none does, what was to be done behind the last is done again."""
    rows = of_last_part(batch)
    for row in are_refused(rows) or rows[:1]:
        _write(row, state=DeliveryState.WAITING)


def count_attempt(batch: int) -> None:
    """An attempt ended without a delivery to those destinations that were to be tried."""
    waiting = Delivery.objects.filter(batch=batch, state__in=PENDING)
    waiting.filter(Q(not_before=None) | Q(not_before__lte=clock.soon())).update(attempts=F("attempts") + 1)


def fail(batch: int, code: str) -> None:
    """The destinations that have no archive yet get none."""
    waiting = Delivery.objects.filter(batch=batch, state__in=PENDING)
    waiting.update(attempts=F("attempts") + 1, state=DeliveryState.ERROR, code=code, not_before=None)


def abandon(batch: int) -> None:
    """The batch was processed again and has no archive any more; what was tried may have left something."""
    waiting = Delivery.objects.filter(batch=batch, state__in=PENDING)
    waiting.filter(attempts=0).delete()
    waiting.update(state=DeliveryState.ERROR)


def size_of_others(batch: int, generation: int, part: int) -> int:
    """The bytes of the batch's other archives that were delivered before."""
    done = Delivery.objects.filter(batch=batch, generation=generation, state=DeliveryState.DONE).exclude(part=part)
    return sum(dict(done.values_list("part", "size_bytes")).values())


def mark_removed(delivery: Delivery) -> None:
    """Nothing of it is at the destination any more."""
    _write(delivery, state=DeliveryState.REMOVED, uri="", code="")


def mark_left(delivery: Delivery) -> None:
    """It counts no longer, but the destination removes nothing."""
    _write(delivery, state=DeliveryState.LEFT, code="")


def left_of(batches: Iterable[int]) -> tuple[str, ...]:
    """Where the destinations have what they do not remove of these batches."""
    rows = Delivery.objects.filter(batch__in=list(batches), state=DeliveryState.LEFT).order_by("destination", "uri")
    return tuple(dict.fromkeys(uri or destination for uri, destination in rows.values_list("uri", "destination")))


def standing(batch: int) -> list[Delivery]:
    """What is at the destinations, in order of the parts."""
    return list(Delivery.objects.filter(batch=batch, state=DeliveryState.DONE).order_by("part", "pk"))
