"""Deliver: the archive into the object store, the rows into the warehouse, and only then DONE.

Each step may be done again after a crash at any point: the store is idempotent by name and checksum, a load by its id.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from sendit.errors import SenditError, ServiceRefused
from sendit.pipeline.intake.folders import WITHHELD_WITHDRAWN, FolderChanged
from sendit.pipeline.record import carrying_out, deliveries, history, studies
from sendit.pipeline.record.hosts import MadeElsewhere
from sendit.pipeline.record.ledger import tag_text
from sendit.pipeline.record.models import Batch, Delivery, Image, Outcome
from sendit.pipeline.record.states import State
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


def deliver(work: Work, ports: Ports) -> None:
    """Take the batch from UPLOADING to DONE.

    Raises
    ------
    ServiceRefused, Misconfigured
        The store or the warehouse says no; `fail` writes it down.
    FolderChanged
        The folder is not what was processed, or what was made of it is gone: it is processed again.
    MadeElsewhere
        The host that has what was made of it is gone: it is processed again.
    ServiceDown, LeaseLost, Stopped
        The batch stays at DONEPROCESSING.
    """
    work.stage = "deliver"
    if studies.is_withdrawn(work.batch.study_id):
        raise StudyWithdrawn
    work.lease.also_ask(lists.asking_about(work.batch.pk, ports))
    if work.batch.host not in ("", work.lease.terms.host):
        raise MadeElsewhere
    pending = deliveries.pending(work.batch.pk)
    if not pending:  # a version of sendit that knew no deliveries has made it
        raise FolderChanged
    delivered = {delivery: _deliver_one(work, delivery, ports) for delivery in pending}
    finish_replacing(work, ports, lambda: _finish(work, delivered))
    work.outbox.remove(work.batch.pk)


def _deliver_one(work: Work, delivery: Delivery, ports: Ports) -> StoredObject:
    batch, name, outbox = work.batch, delivery.object_name, work.outbox.of(work.batch.pk)
    archive = outbox / name.rpartition("/")[2]
    _ensure_as_processed(work, archive)
    stored = ports.object_store.put(name, archive, _about(batch, delivery), work.lease.check)
    work.lease.check()
    _put_report(ports.object_store, name, outbox)
    work.lease.check()
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


def _ensure_as_processed(work: Work, archive: Path) -> None:
    """A folder that is gone is no change: what was made of it was whole."""
    if not archive.is_file():
        raise FolderChanged
    if not os.path.isdir(work.folder):
        history.record("batch.folder_gone", work.batch.pk, state=work.batch.state)
    elif work.fingerprint != work.batch.fingerprint:
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


def _finish(work: Work, delivered: Mapping[Delivery, StoredObject]) -> None:
    batch, now = work.batch, timezone.now()
    with transaction.atomic():
        work.lease.finish(
            State.DONE,
            delivered_at=now,
            attempts=0,
            postponements=0,
            waits_for="",
        )
        studies.ensure_not_withdrawn(batch.study_id)
        for delivery, stored in delivered.items():
            deliveries.finish(delivery, stored.uri, now)
        ensure_replaced(work)
        made = next(iter(delivered))  # all have the same archive, each its destination
        batch.last_delivered = (made.images, made.size_bytes)
        seconds = (now - (batch.started_at or batch.changed_at)).total_seconds()
        history.record(
            "batch.delivered",
            batch.pk,
            images=made.images,
            bytes=made.size_bytes,
            seconds=round(seconds, 3),
            deliver_seconds=work.seconds("deliver"),
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


def fail(work: Work, error: SenditError, **where: str) -> None:
    """UPLOADING becomes ERROR: nothing of this part counts as delivered, and `retry` begins it again."""
    batch, pending = work.batch, deliveries.pending(work.batch.pk)
    images, parts = max((one.images for one in pending), default=0), {one.part for one in pending}
    entry = {"code": error.code, "tag": tag_text(error.tag), "count": images, "stage": work.stage}
    with transaction.atomic():
        work.lease.finish(
            State.ERROR,
            delivered=batch.delivered - images,
            errored=batch.errored + images,
            errors=[entry, *batch.errors],
            has_error=True,
        )
        deliveries.fail(batch.pk)
        Image.objects.filter(batch=batch, outcome=Outcome.DELIVERED, part__in=parts).update(
            outcome=Outcome.ERROR, code=error.code, member="", offset=None, length=None, sha256=""
        )
        history.record("batch.failed", batch.pk, state=work.lease.job.working, code=error.code, **where)
        work.outbox.remove(batch.pk)
