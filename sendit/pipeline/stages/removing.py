"""Remove what was delivered: the rows first, so that none of them leads nowhere, then the archive and its reports.

Every step may be done again after a crash at any point.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

import google_crc32c
from django.db import transaction
from django.db.models import Q

from sendit.errors import SenditError, ServiceRefused
from sendit.pipeline.record import deliveries
from sendit.pipeline.record.deliveries import MadeArchive
from sendit.pipeline.record.models import Batch, Delivery
from sendit.pipeline.record.states import TERMINAL, VOID, WAITING_FOR_PERSON, DeliveryState, State
from sendit.pipeline.stages.deidentifying import load_id
from sendit.pipeline.stages.outbox import Outbox
from sendit.pipeline.stages.reporting import CONTENT_TYPES
from sendit.pipeline.stages.work import Work
from sendit.ports import TABLES, ObjectStore, go_on
from sendit.projects.composition import Ports

READ_BYTES = 8 << 20


def remove(delivery: Delivery, ports: Ports, check: Callable[[], None] = go_on) -> None:
    """Remove an archive, its reports and its rows from its destination; what removes nothing has them LEFT.

    Raises
    ------
    ServiceDown, ServiceRefused, Misconfigured
        Something of it may still be there.
    """
    store = ports.stores.of(delivery.destination)
    for table in TABLES:
        ports.warehouse.remove(table, load_id(delivery.object_name), check)
    stem = delivery.object_name.removesuffix(".tar.gz")
    reports = [f"{stem}.{report}" for report in CONTENT_TYPES] if isinstance(store, ObjectStore) else []
    try:
        for name in (*reports, delivery.object_name):
            check()
            store.remove(name)
    except ServiceRefused as refusal:
        if refusal.code != "NotRemovable":
            raise
        deliveries.mark_left(delivery)
    else:
        deliveries.mark_removed(delivery)


def remove_of_batch(batch: int, ports: Ports, check: Callable[[], None] = go_on) -> int:
    """Remove all that a batch has, or may have, at any destination; returns how many archives it had.

    A destination that does not let go of an archive keeps no other one from it: what it raises is raised at the end.
    """
    found = list(Delivery.objects.filter(batch=batch).exclude(state__in=VOID).order_by("pk"))
    failures = [failure for delivery in found if (failure := _failure(delivery, ports, check))]
    if failures:
        raise failures[0]
    return len({(delivery.generation, delivery.part) for delivery in found})


def _failure(delivery: Delivery, ports: Ports, check: Callable[[], None]) -> SenditError | None:
    try:
        remove(delivery, ports, check)
    except SenditError as error:
        return error
    return None


def clear_withdrawn(batch: int, outbox: Outbox, host: str) -> None:
    """Remove what a host has of a batch in its outbox, unless the batch is not withdrawn any more."""
    with transaction.atomic():
        found = Batch.objects.select_for_update().filter(pk=batch, state=State.WITHDRAWN).first()
        if found is None:
            return
        outbox.remove(batch)
        if found.host == host:
            Batch.objects.filter(pk=batch).update(host="")


def clear_all_withdrawn(outbox: Outbox, host: str) -> None:
    """The same of all batches, for a study may be withdrawn on another host than the one that made its archive."""
    of_host = Q(host=host) & ~Q(host="")
    left = Batch.objects.filter(of_host | Q(pk__in=outbox.batches()), state=State.WITHDRAWN)
    for batch in list(left.values_list("pk", flat=True)):
        clear_withdrawn(batch, outbox, host)


def remove_attempts(work: Work, ports: Ports, made: MadeArchive | None) -> None:
    """Remove what earlier attempts of a delivery may have left of an archive of other bytes, or of one that is no more.

    Parameters
    ----------
    made : MadeArchive or None
        What this attempt has made; where the same was tried before, it is simply gone on with.
    """
    tried = Delivery.objects.filter(batch=work.batch.pk, attempts__gt=0).exclude(state__in=(DeliveryState.DONE, *VOID))
    for delivery in tried:
        is_same = made == MadeArchive(delivery.object_name, delivery.images, delivery.size_bytes, delivery.crc32c)
        if not is_same and ports.stores.has(delivery.destination) and _is_there(delivery, ports):
            remove(delivery, ports, work.lease.check)


def _is_there(delivery: Delivery, ports: Ports) -> bool:
    """Whether the store has the archive; an object with other bytes under that name belongs to somebody else."""
    store = ports.stores.of(delivery.destination)
    if not isinstance(store, ObjectStore):  # it removes nothing, and takes what is sent again
        return False
    try:
        return stored_crc32c(delivery, store) == delivery.crc32c
    except ServiceRefused as refusal:
        if refusal.code != "NoSuchObject":
            raise
        return False


def stored_crc32c(delivery: Delivery, store: ObjectStore) -> str:
    """The checksum of the object as the store gives it back, all of it."""
    crc32c = 0
    for offset in range(0, delivery.size_bytes, READ_BYTES):
        length = min(READ_BYTES, delivery.size_bytes - offset)
        crc32c = google_crc32c.extend(crc32c, store.read(delivery.object_name, offset, length))
    return base64.b64encode(crc32c.to_bytes(4, "big")).decode()


class OlderGenerationStands(Exception):
    """All that is to take the place of a study's earlier generation stands, and that is still there."""


def ensure_replaced(work: Work) -> None:
    """Raise OlderGenerationStands if it does; inside the transaction that ends the batch, with the study locked.

    Of several batches of a study that end at once, the last one to come sees that all others are done.
    """
    if _older(work) and not Batch.objects.filter(study=work.batch.study, state__in=_ON_THE_WAY).exists():
        raise OlderGenerationStands


_ON_THE_WAY = [state for state in State if state not in TERMINAL or state in WAITING_FOR_PERSON]


def _older(work: Work) -> list[Delivery]:
    study = work.batch.study
    if study is None or study.generation == 1:
        return []
    older = Delivery.objects.filter(batch__study=study, generation__lt=study.generation)
    return list(older.exclude(state__in=VOID).order_by("pk"))


def finish_replacing(work: Work, ports: Ports, finish: Callable[[], None]) -> None:
    """End the batch; where it is the last of a study that is made again, remove what it replaces before."""
    try:
        finish()
    except OlderGenerationStands:
        work.lease.recall()
        for delivery in _older(work):
            remove(delivery, ports, work.lease.check)
        finish()
