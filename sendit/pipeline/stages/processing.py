"""The whole processing of one batch: import → screen → identify → de-identify, and its outcome in one transaction.

One job does it all, so that no half-done study waits behind 999 others.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

import sendit
from sendit.deid.recipe.recipe import Recipe
from sendit.durable import disk
from sendit.errors import DataFault, Misconfigured, SenditError
from sendit.phi import Phi
from sendit.pipeline.intake.folders import WITHHELD_WITHDRAWN
from sendit.pipeline.record import approvals, clock, deliveries, history, kept_recipes, statements, studies
from sendit.pipeline.record.approvals import Subject
from sendit.pipeline.record.carrying_out import carry_out
from sendit.pipeline.record.deliveries import MadeArchive
from sendit.pipeline.record.ledger import tag_text
from sendit.pipeline.record.models import BatchIdentifiers, Image, Outcome
from sendit.pipeline.record.states import HELD_BACK, Job, State
from sendit.pipeline.stages import lists
from sendit.pipeline.stages.choosing import choose_images
from sendit.pipeline.stages.deidentifying import StudyResult, deidentify_study, load_id
from sendit.pipeline.stages.earlier_parts import file_digest
from sendit.pipeline.stages.identifying import asked_before, identify, shift_as_before
from sendit.pipeline.stages.importing import ImportedStudy, import_study
from sendit.pipeline.stages.parts import Part, begin_part
from sendit.pipeline.stages.removing import ensure_replaced, finish_replacing, remove_attempts, remove_of_batch
from sendit.pipeline.stages.reporting import write_report
from sendit.pipeline.stages.work import Work
from sendit.projects.composition import Ports

STUDY = "dicom.json"
WITH_WAITING = (Job.DELIVER.waiting, HELD_BACK)
"""Where a batch stands when an archive of it was made just now."""
ROWS_AT_ONCE = 1000
EMPTY = ("filtered", "in_review", "seconds")
"""What the history says of a batch of which nothing was made."""
LONGEST_NAME = 255
"""Characters of a recipe's name in a row of Batch; the whole name is kept with the recipe."""


def process(work: Work, ports: Ports) -> None:
    """Take the batch from PROCESSING to REVIEW, DONEPROCESSING, EMPTY or ERROR.

    Raises
    ------
    DataFault, Misconfigured, ServiceRefused
        The batch as a whole cannot be de-identified; `fail` writes it down.
    ServiceDown, FolderChanged, LeaseLost, Stopped
        Nothing is written; the batch is taken up again.
    """
    ports.renew_recipe()
    _ensure_approved(ports)
    recipe, names = ports.recipe, ports.project.identity
    kept_recipes.keep(recipe)
    work.review = ports.project.review
    work.recipe = {
        "recipe_name": kept_recipes.name_of(recipe)[:LONGEST_NAME],
        "recipe_sha256": recipe.sha256,
        "project_sha256": ports.project.fingerprint,
    }
    if work.outbox.remains(work.batch.pk):
        with work.lease.held():
            work.outbox.remove(work.batch.pk)  # what an earlier attempt left
    with work.outbox.draft(work.batch.pk) as draft:
        work.earlier.keep_unchanged()
        study = import_study(work, ports, asked_before(work, names))
        if study and not lists.is_listed(ports, study.entity_id, study.item_id):
            work.ledger.filter_rest(lists.NOT_LISTED)
            study = None
        made = _deidentify(work, study, ports, draft) if study and _is_wanted(work, study) else None
        work.earlier.keep_missing()
        work.ensure_unchanged()
        if made:
            _finish(work, made, ports, draft)
        elif work.earlier.are_there:
            remove_attempts(work, ports, None)
            _finish_without_part(work)
        elif work.ledger.count(Outcome.ERROR) and not work.ledger.count(Outcome.IN_REVIEW):
            raise DataFault("NothingDelivered")
        else:
            remove_attempts(work, ports, None)
            finish_replacing(work, ports, lambda: _finish_empty(work))


def _ensure_approved(ports: Ports) -> None:
    """Raise Misconfigured("NotApproved") where the project asks for an approval and has none as it is now."""
    if not ports.site.require_approval:
        return
    subject = Subject(ports.project.name, ports.project.fingerprint, ports.recipe.sha256)
    if approvals.approval_of(subject) is None:
        raise Misconfigured("NotApproved", subject=subject.project)


def _is_wanted(work: Work, study: ImportedStudy) -> bool:
    """Whether an image may be left to deliver, or has to be compared with what was delivered."""
    return work.earlier.are_there or any(facts.passed for facts in study.named)


def _deidentify(work: Work, study: ImportedStudy, ports: Ports, draft: Path) -> MadePart | None:
    work.lease.also_ask(lists.asking(study.entity_id, study.item_id, ports))
    response = identify(work, study, ports)
    part, study = begin_part(work, study, response, ports)
    response = shift_as_before(work, study, response, ports)
    study = choose_images(work, study, ports.pseudonyms)
    made = deidentify_study(work, study, response, ports, part, draft) if study.numbers else None
    return MadePart(part, study, made) if made else None


@dataclass(frozen=True, slots=True)
class MadePart:
    """The part that was made, and of what."""

    part: Part
    study: ImportedStudy
    made: StudyResult


def _finish(work: Work, outcome: MadePart, ports: Ports, draft: Path) -> None:
    part, study, made = outcome.part, outcome.study, outcome.made
    recipe, is_first = ports.recipe, not work.batch.archive_bytes
    archive = MadeArchive(made.object_name, made.summary.images, made.archive.size_bytes, made.archive.crc32c)
    was_made = not is_first or part.generation > 1
    work.lease.check()
    if was_made:
        remove_attempts(work, ports, archive)
    _write_study_row(work, outcome, recipe, draft / STUDY)
    write_report(work, outcome.made, study, part, ports, draft)
    with transaction.atomic():
        _finish_as(
            work,
            _made_state(work),
            host=work.lease.terms.host,
            entity_suid=made.entity_suid,
            item_suid=made.item_suid,
            archive_bytes=made.archive.size_bytes
            + (deliveries.size_of_others(work.batch.pk, part.generation, part.number) if was_made else 0),
            not_before=_delivered_from(ports.site.delivery_delay_hours),
        )
        studies.ensure_not_withdrawn(work.batch.study_id)
        names = [choice.name for choice in ports.project.stores]
        deliveries.add(work.batch.pk, archive, names, is_first=is_first, generation=part.generation, part=part.number)
        history.record("batch.processed", work.batch.pk, **_numbers(work), **_stages(work), part=part.number)
        carry_out(work.batch)
        work.outbox.publish(draft, work.batch.pk)


def _made_state(work: Work) -> State:
    """Where a batch stands whose archive is made."""
    waits = work.review.holds_back and work.ledger.count(Outcome.IN_REVIEW, only_new=True)
    return HELD_BACK if waits else Job.DELIVER.waiting


def _finish_without_part(work: Work) -> None:
    """Nothing is new, beside what was delivered before."""
    with transaction.atomic():
        _finish_as(work, State.DONE)
        history.record("batch.nothing_new", work.batch.pk, **_numbers(work))
        carry_out(work.batch)


def _finish_empty(work: Work) -> None:
    with transaction.atomic():
        _finish_as(work, State.EMPTY)
        ensure_replaced(work)
        numbers = {name: number for name, number in _numbers(work).items() if name in EMPTY}
        history.record("batch.empty", work.batch.pk, **numbers)
        carry_out(work.batch)


def withdraw(work: Work, ports: Ports) -> None:
    """PROCESSING becomes WITHDRAWN: the study is out, and what was to be delivered is withheld."""
    work.earlier.keep_unchanged()
    work.earlier.keep_missing()
    work.ledger.filter_rest(WITHHELD_WITHDRAWN)
    with transaction.atomic():
        _finish_as(work, State.WITHDRAWN)
        history.record("batch.withheld", work.batch.pk, **_numbers(work))
        work.outbox.remove(work.batch.pk)
    remove_of_batch(work.batch.pk, ports)


def fail(work: Work, error: SenditError, **where: str) -> None:
    """The batch cannot go on: PROCESSING becomes ERROR, and every file that was to be delivered an error of its own."""
    stage = work.stage
    work.earlier.keep_unchanged()
    work.earlier.keep_missing()
    work.ledger.fail_rest(error, stage)
    known = {(entry["code"], entry["stage"]) for entry in work.ledger.errors()}
    errors = work.ledger.errors()
    if (error.code, stage) not in known:
        errors.insert(0, {"code": error.code, "tag": tag_text(error.tag), "count": 0, "stage": stage})
    with transaction.atomic():
        _finish_as(work, State.ERROR, errors=errors, has_error=True)
        history.record("batch.failed", work.batch.pk, state=work.lease.job.working, code=error.code, **where)
        work.outbox.remove(work.batch.pk)


def _finish_as(work: Work, state: State, **results: Any) -> None:
    """The move first: it fails when the lease is lost, and it locks the row until everything else is written."""
    ledger, batch, now = work.ledger, work.batch, timezone.now()
    counts = ledger.counts()
    results = {
        "errors": ledger.errors(),
        "has_error": bool(ledger.count(Outcome.ERROR)),
        "attempts": 0,
        "postponements": 0,
        "processed_at": now,
        "fingerprint": work.fingerprint,
        "input_bytes": sum(entry.size_bytes for entry in work.known_entries),
        **counts,
        "review_since": (batch.review_since or now) if counts["in_review"] else None,
        "study_id": batch.study_id,
        **work.recipe,
        **results,
    }
    was_processed = batch.processed_at is not None or work.earlier.are_there
    work.lease.finish(state, **results)
    if was_processed:
        if state not in WITH_WAITING:
            deliveries.abandon(batch.pk)
        statements.delete(Image, {"batch": batch.pk})
    rows = ledger.images()
    while some := [{"batch": batch.pk, **row, **_file(work, row)} for row in islice(rows, ROWS_AT_ONCE)]:
        statements.insert(Image, *some)
    identified = {name: Phi(value) for name, value in work.identified.items()}
    missing = [""] * (ledger.found - len(work.known_entries))
    identified["files"] = Phi([*(entry.name for entry in work.known_entries), *missing])
    statements.update(BatchIdentifiers, identified, {"batch": batch.pk})


def _file(work: Work, row: Mapping[str, Any]) -> dict[str, bytes | None]:
    entries, number = work.known_entries, row["number"]
    return {"file_digest": file_digest(entries[number - 1]) if number <= len(entries) else None}


def _numbers(work: Work) -> dict[str, int | float]:
    batch, counts = work.batch, work.ledger.counts(only_new=True)
    started_at = batch.started_at or timezone.now()
    return {
        "images": counts["delivered"],
        "filtered": counts["filtered"],
        "errors": counts["errored"],
        **({"in_review": counts["in_review"]} if counts["in_review"] else {}),
        "bytes": batch.input_bytes,
        "seconds": round((timezone.now() - started_at).total_seconds(), 3),
    }


def _stages(work: Work) -> dict[str, float]:
    return {
        "import_seconds": work.seconds("import"),
        "identify_seconds": work.seconds("identify"),
        "deidentify_seconds": work.seconds("de-identify"),
    }


def _delivered_from(delay_hours: float) -> datetime:
    """A random time within the delay: a store tells when an archive came, and so when a study was made."""
    longest_ms = round(delay_hours * 3_600_000)
    return clock.now() + timedelta(milliseconds=secrets.randbelow(longest_ms + 1))


def _write_study_row(work: Work, outcome: MadePart, recipe: Recipe, path: Path) -> None:
    """The row of `dicom`, as JSON: where the archive is stored is only known after its delivery."""
    part, study, made = outcome.part, outcome.study, outcome.made
    counts = work.ledger.counts(only_new=True)
    row = made.summary.row(study.withheld_series | made.withheld_series) | {
        "CodedAccessionNumberID": made.item_suid,
        "CodedPatientID": made.entity_suid,
        "ContentType": "application/gzip",
        "load_id": load_id(made.object_name),
        "object_name": made.object_name,
        "size_bytes": made.archive.size_bytes,
        "crc32c": made.archive.crc32c,
        "filtered_count": counts["filtered"],
        "error_count": counts["errored"],
        "recipe": kept_recipes.name_of(recipe),
        "recipe_sha256": recipe.sha256,
        "sendit_version": sendit.__version__,
        "part": part.number,
        "generation": part.generation,
    }
    with disk("rows"), path.open("w") as file:
        json.dump(row, file)
        file.flush()
        os.fsync(file.fileno())
