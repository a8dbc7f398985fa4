"""Deliver: the archive to each destination, the rows into the warehouse, and only then DONE.

A destination that is down or refuses holds up itself alone. Each step may be done again after a crash at any point: a
destination is idempotent by name and checksum, a load by its id.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from sendit.errors import SenditError, ServiceDown, ServiceRefused
from sendit.pipeline.intake.folders import WITHHELD_WITHDRAWN, FolderChanged
from sendit.pipeline.record import carrying_out, clock, deliveries, history, studies
from sendit.pipeline.record.deliveries import DELIVER, DeliveriesWait
from sendit.pipeline.record.hosts import MadeElsewhere
from sendit.pipeline.record.leases import delay_seconds
from sendit.pipeline.record.ledger import tag_text
from sendit.pipeline.record.models import Batch, Delivery, Image, Outcome
from sendit.pipeline.record.states import DeliveryState, State
from sendit.pipeline.record.studies import StudyWithdrawn
from sendit.pipeline.stages import lists
from sendit.pipeline.stages.deidentifying import INSTANCES, load_id
from sendit.pipeline.stages.processing import STUDY
from sendit.pipeline.stages.removing import ensure_replaced, finish_replacing, remove_of_batch
from sendit.pipeline.stages.reporting import CONTENT_TYPES, STATEMENT
from sendit.pipeline.stages.rows import write_parquet
from sendit.pipeline.stages.work import Work
from sendit.ports import ObjectStore, StoredObject
from sendit.projects.composition import Ports

STUDIES = "dicom.parquet"
GONE = "UnknownDestination"
"""The code of a delivery to a destination that is none of the project's any more."""


def deliver(work: Work, ports: Ports) -> None:
    """Take the batch from UPLOADING to DONE, or to ERROR where destinations refuse it and none is left to try.

    Raises
    ------
    ServiceRefused, Misconfigured
        No destination has the archive, and none is left to try; `fail` writes it down.
    FolderChanged
        The folder is not what was processed, or what was made of it is gone: it is processed again.
    MadeElsewhere
        The host that has what was made of it is gone: it is processed again.
    DeliveriesWait, ServiceDown, LeaseLost, Stopped
        The batch stays at DONEPROCESSING.
    """
    work.stage = DELIVER
    if studies.is_withdrawn(work.batch.study_id):
        raise StudyWithdrawn
    work.lease.also_ask(lists.asking_about(work.batch.pk, ports))
    if work.batch.host not in ("", work.lease.terms.host):
        raise MadeElsewhere
    rows = _for_present_destinations(work, deliveries.of_part(work.batch.pk), ports)
    if not rows:  # a version of sendit that knew no deliveries has made it
        raise FolderChanged
    _ensure_as_processed(work, rows)
    failure = _try_each(work, rows, ports)
    if left := deliveries.are_pending(rows):
        raise DeliveriesWait(left)
    if refused := deliveries.are_refused(rows):
        _stop(work, rows, failure or ServiceRefused(refused[0].code))
        return
    finish_replacing(work, ports, lambda: _finish(work, rows))
    work.outbox.remove(work.batch.pk)


def _for_present_destinations(work: Work, rows: list[Delivery], ports: Ports) -> list[Delivery]:
    """What waits for destinations that are none of the project's any more: it goes to those that are, if it was never
    tried; where it was, and a person has retried the batch since, it is given up."""
    gone = [each for each in deliveries.are_pending(rows) if not ports.stores.has(each.destination)]
    is_new = work.batch.attempts <= 1
    untried = [each for each in gone if is_new and not each.attempts]
    given_up = [each for each in gone if each.code == GONE]
    if not (untried or given_up):
        return rows
    with work.lease.held():
        deliveries.redirect(rows, untried, [choice.name for choice in ports.project.stores])
        for each in given_up:
            deliveries.give_up(each)
            history.record("batch.delivery_given_up", work.batch.pk, destination=each.destination)
    return deliveries.of_last_part(work.batch.pk)


def _try_each(work: Work, rows: Sequence[Delivery], ports: Ports) -> SenditError | None:
    """Deliver to each destination that is due, and write down what came of it; returns why the last one refuses."""
    failure, is_one_of_several = None, len(rows) > 1
    for delivery in deliveries.are_due(rows):
        attempt = Attempt(work, delivery, is_one_of_several)
        rest = ports.stores.rest_of(delivery.destination) if is_one_of_several else None
        try:
            if rest is None:
                attempt.finish(_deliver_one(work, delivery, ports))
            else:
                attempt.postpone(rest.code, rest.seconds, was_tried=False)
        except ServiceDown as down:
            attempt.postpone(down.code, delay_seconds(delivery.postponements))
            ports.stores.let_rest(delivery.destination, down.code)
        except SenditError as error:
            failure = error
            attempt.refuse(error)
    return failure


@dataclass(frozen=True, slots=True)
class Attempt:
    """Writes down what came of a delivery, as long as the lease holds; the history tells it where there are several."""

    work: Work
    delivery: Delivery
    is_one_of_several: bool

    def finish(self, stored: StoredObject) -> None:
        """It is at its destination; the only one's is written down with the batch's end."""
        if not self.is_one_of_several:
            self.delivery.state, self.delivery.uri = DeliveryState.DONE, stored.uri
            return
        with self.work.lease.held():
            deliveries.finish(self.delivery, stored.uri, timezone.now())
            self._tell("batch.delivered_to")

    def postpone(self, code: str, seconds: float, *, was_tried: bool = True) -> None:
        """Its destination is down."""
        until = clock.now() + timedelta(seconds=seconds)
        with self.work.lease.held():
            deliveries.postpone(self.delivery, code, until, was_tried=was_tried)
            self._tell("batch.delivery_waits", code=code, seconds=round(seconds, 1))

    def refuse(self, error: SenditError) -> None:
        """Its destination refuses it."""
        with self.work.lease.held():
            deliveries.refuse(self.delivery, error.code)
            about = {"subject": error.subject} if error.subject else {}
            self._tell("batch.delivery_refused", code=error.code, **about)

    def _tell(self, name: str, **fields: str | float) -> None:
        if self.is_one_of_several:
            history.record(name, self.work.batch.pk, destination=self.delivery.destination, **fields)


def _deliver_one(work: Work, delivery: Delivery, ports: Ports) -> StoredObject:
    batch, name, outbox = work.batch, delivery.object_name, work.outbox.of(work.batch.pk)
    work.lease.check()
    store = ports.stores.of(delivery.destination)
    stored = store.put(name, outbox / name.rpartition("/")[2], _about(batch, delivery), work.lease.check)
    work.lease.check()
    if isinstance(store, ObjectStore):
        _put_report(store, name, outbox)
    work.lease.check()
    if delivery.loads_rows:
        write_parquet("dicom", [_study_row(outbox / STUDY, stored)], outbox / STUDIES)
        for table, rows in (("instance", INSTANCES), ("dicom", STUDIES)):
            ports.warehouse.load(table, outbox / rows, load_id(name), work.lease.check)
            work.lease.check()
    return stored


def _about(batch: Batch, delivery: Delivery) -> dict[str, str]:
    """What the store is told of an archive."""
    return {
        "content_type": "application/gzip",
        "images": str(delivery.images),
        "recipe": batch.recipe_name,
        "recipe_sha256": batch.recipe_sha256,
    }


def _ensure_as_processed(work: Work, rows: Sequence[Delivery]) -> None:
    """A folder that is gone is no change: what was made of it was whole. What a destination has is made to the end."""
    if not (work.outbox.of(work.batch.pk) / rows[0].object_name.rpartition("/")[2]).is_file():
        raise FolderChanged
    if not os.path.isdir(work.folder):
        history.record("batch.folder_gone", work.batch.pk, state=work.batch.state)
    elif work.fingerprint != work.batch.fingerprint and not deliveries.is_delivered(rows):
        raise FolderChanged


def _put_report(store: ObjectStore, object_name: str, outbox: Path) -> None:
    """The report and the statement beside their archive; what an earlier attempt put there speaks of the same archive,
    and stays."""
    stem = object_name.removesuffix(".tar.gz")
    for name, content_type in CONTENT_TYPES.items():
        if name == STATEMENT and not (outbox / name).is_file():  # an earlier version, which signed nothing, made it
            continue
        try:
            store.put(f"{stem}.{name}", outbox / name, {"content_type": content_type})
        except ServiceRefused as refusal:
            if refusal.code != "ObjectConflict":
                raise


def _study_row(path: Path, stored: StoredObject) -> dict[str, Any]:
    """The row, without what an earlier version put into it of the time at which the batch was processed."""
    row: dict[str, Any] = json.loads(path.read_text())
    return row | {
        "batch": None,
        "processed_at": None,
        "storage_download": stored.download_link,
        "storage_metadataLink": stored.metadata_link,
        "storage_uri": stored.uri,
    }


def _finish(work: Work, rows: Sequence[Delivery]) -> None:
    batch, made, now = work.batch, rows[0], timezone.now()
    with transaction.atomic():
        work.lease.finish(
            State.DONE,
            delivered_at=now,
            attempts=0,
            postponements=0,
            waits_for="",
        )
        studies.ensure_not_withdrawn(batch.study_id)
        if len(rows) == 1:
            deliveries.finish(made, made.uri, now)
        ensure_replaced(work)
        batch.last_delivered = (made.images, made.size_bytes)
        seconds = (now - (batch.started_at or batch.changed_at)).total_seconds()
        history.record(
            "batch.delivered",
            batch.pk,
            images=made.images,
            bytes=made.size_bytes,
            seconds=round(seconds, 3),
            deliver_seconds=work.seconds(DELIVER),
            part=made.part,
        )
        carrying_out.carry_out(batch)


def withdraw(work: Work, ports: Ports) -> None:
    """UPLOADING becomes WITHDRAWN: what was delivered, and what of it may have been, is removed again."""
    batch = work.batch
    archives = remove_of_batch(batch.pk, ports, work.lease.check)
    with transaction.atomic():
        numbers = carrying_out.without_review(batch)
        work.lease.finish(State.WITHDRAWN, attempts=0, postponements=0, waits_for="", **numbers)
        carrying_out.withhold(batch, WITHHELD_WITHDRAWN)
        history.record("batch.removed", batch.pk, archives=archives)
        work.outbox.remove(batch.pk)


def _stop(work: Work, rows: Sequence[Delivery], failure: SenditError) -> None:
    """Some destinations refuse the archive; where others have it, it stays at hand for `retry`."""
    if not deliveries.is_delivered(rows):
        raise failure
    codes = dict.fromkeys(one.code for one in deliveries.are_refused(rows))
    with transaction.atomic():
        work.lease.finish(
            State.ERROR, errors=[*(_entry(code, 0) for code in codes), *work.batch.errors], has_error=True
        )
        history.record("batch.failed", work.batch.pk, state=work.lease.job.working, code=next(iter(codes)))


def fail(work: Work, error: SenditError, **where: str) -> None:
    """UPLOADING becomes ERROR: a part that no destination has counts as not delivered, and `retry` makes it again."""
    batch, rows = work.batch, deliveries.of_last_part(work.batch.pk)
    is_delivered = deliveries.is_delivered(rows)
    images = 0 if is_delivered else max((one.images for one in rows), default=0)
    parts = set() if is_delivered else {one.part for one in rows}
    entry = _entry(error.code, images) | {"tag": tag_text(error.tag)}
    with transaction.atomic():
        work.lease.finish(
            State.ERROR,
            delivered=batch.delivered - images,
            errored=batch.errored + images,
            errors=[entry, *batch.errors],
            has_error=True,
        )
        deliveries.fail(batch.pk, error.code)
        Image.objects.filter(batch=batch, outcome=Outcome.DELIVERED, part__in=parts).update(
            outcome=Outcome.ERROR, code=error.code, member="", offset=None, length=None, sha256=""
        )
        history.record("batch.failed", batch.pk, state=work.lease.job.working, code=error.code, **where)
        if not is_delivered:
            work.outbox.remove(batch.pk)


def _entry(code: str, images: int) -> dict[str, Any]:
    return {"code": code, "tag": "", "count": images, "stage": DELIVER}
