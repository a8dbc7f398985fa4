"""Studies that are taken back, let in again, or made again.

A withdrawal is a mark on the study first; whatever happens afterwards, a worker that has one of its batches sees the
mark before anything of it counts as delivered, and a repeated withdrawal goes on where the last one stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import transaction
from django.utils import timezone

from sendit.errors import DataFault, SenditError
from sendit.pipeline.intake.folders import WITHHELD_WITHDRAWN, fingerprint, list_folder
from sendit.pipeline.record import carrying_out, clock, deliveries, history, hosts
from sendit.pipeline.record.models import Batch, Delivery, Image, Study
from sendit.pipeline.record.states import DELIVERED, REMAKABLE, VOID, WORKING, Job, State
from sendit.pipeline.stages.earlier_parts import file_digest
from sendit.pipeline.stages.outbox import Outbox
from sendit.pipeline.stages.removing import clear_withdrawn, remove_of_batch
from sendit.pipeline.taken_back import Remade, Withdrawal
from sendit.projects.composition import Projects

NOTHING_YET: dict[str, Any] = {
    "found": 0, "delivered": 0, "filtered": 0, "in_review": 0, "review_since": None, "errored": 0, "has_error": False,
    "errors": [], "processed_at": None,
    "attempts": 0, "postponements": 0, "folder_changes": 0, "waits_for": "",
}  # fmt: skip
"""What a batch knows that is to be processed as if it were new."""


def withdraw_study(study: int, reason: str, projects: Projects, actor: str) -> Withdrawal:
    """Take a study back, with all of its batches."""
    with transaction.atomic():
        row = Study.objects.select_for_update().get(pk=study)
        if row.withdrawn_at is None:
            row.withdrawn_at = timezone.now()
            row.save(update_fields=["withdrawn_at"])
    return _withdraw(list(Batch.objects.filter(study=study).order_by("pk")), reason, projects, actor)


def withdraw_batch(batch: int, reason: str, projects: Projects, actor: str) -> Withdrawal:
    """Take the batch's study back, or the batch alone where nobody knows yet of which study it is."""
    found = Batch.objects.get(pk=batch)
    if found.study_id is not None:
        return withdraw_study(found.study_id, reason, projects, actor)
    return _withdraw([found], reason, projects, actor)


def _withdraw(batches: list[Batch], reason: str, projects: Projects, actor: str) -> Withdrawal:
    at_work, refusals, archives = [], [], 0
    for batch in batches:
        if not _move_out(batch, reason, actor):
            at_work.append(batch.pk)
            continue
        clear_withdrawn(batch.pk, Outbox(projects.site.outbox_folder), hosts.name_of(projects.site))
        try:
            archives += _remove(batch, projects, actor)
        except SenditError as error:
            history.record_by(actor, "batch.removal_failed", batch.pk, code=error.code)
            refusals.append(error)
    here = hosts.name_of(projects.site)
    elsewhere = {batch.host for batch in batches if batch.pk not in at_work} - {"", here}
    keys = tuple(batch.pk for batch in batches)
    return Withdrawal(
        keys, archives, tuple(at_work), tuple(refusals), tuple(sorted(elsewhere)), deliveries.left_of(keys)
    )


def _move_out(batch: Batch, reason: str, actor: str) -> bool:
    """Whether the batch is WITHDRAWN now; False where a worker has it."""
    while batch.state not in WORKING and batch.state != State.WITHDRAWN:
        was = batch.state
        with transaction.atomic():
            host = "" if was in DELIVERED else batch.host
            if batch.move(State.WITHDRAWN, waits_for="", host=host, **carrying_out.without_review(batch)):
                carrying_out.withhold(batch, WITHHELD_WITHDRAWN)
                history.record_reason(actor, reason, "batch.withdrawn", batch.pk, state=was)
                return True
        batch.refresh_from_db()
    return batch.state == State.WITHDRAWN


def _remove(batch: Batch, projects: Projects, actor: str) -> int:
    if not Delivery.objects.filter(batch=batch).exclude(state__in=VOID).exists():
        return 0
    archives = remove_of_batch(batch.pk, projects.of(batch.project))
    history.record_by(actor, "batch.removed", batch.pk, archives=archives)
    return archives


# ---------------------------------------------------------------------------------------------- made again


def make_again(study: int, reason: str, actor: str, *, is_dry_run: bool = False) -> Remade:
    """Queue all of a study's batches as its next generation, unless originals are missing."""
    row = Study.objects.get(pk=study)
    batches = list(Batch.objects.filter(study=study).order_by("pk").select_related("identifiers"))
    outcome = Remade(
        study,
        tuple(batch.pk for batch in batches),
        sum(batch.delivered for batch in batches),
        tuple(sorted({batch.recipe_sha256 for batch in batches if batch.recipe_sha256})),
        tuple(batch.pk for batch in batches if batch.state not in REMAKABLE or not _are_there(batch)),
        row.generation + 1,
    )
    if not (is_dry_run or outcome.is_left_alone):
        _begin_generation(row, batches, reason, actor)
    return outcome


def readmit_batch(batch: Batch, reason: str, actor: str) -> Remade:
    """Let a batch in again that was withdrawn before anybody knew of which study it is."""
    missing = () if _are_there(batch) else (batch.pk,)
    if not missing:
        now = clock.now()
        with transaction.atomic():
            if batch.move(Job.PROCESS.waiting, queued_at=now, not_before=now, **NOTHING_YET):
                Image.objects.filter(batch=batch).delete()
                history.record_reason(actor, reason, "batch.made_again", batch.pk, state=State.WITHDRAWN, generation=1)
    return Remade(0, (batch.pk,), 0, (), missing, 1)


def _are_there(batch: Batch) -> bool:
    """Whether all of a batch's originals are where they were."""
    if not hasattr(batch, "identifiers"):
        return False
    try:
        entries = list_folder(batch.folder.reveal())
    except DataFault:
        return False
    if fingerprint(entries) == batch.fingerprint or not batch.fingerprint:
        return True
    digests = set(_file_digests(batch))
    return bool(digests) and {file_digest(entry) for entry in entries} >= digests


def _file_digests(batch: Batch) -> Iterable[bytes]:
    rows = Image.objects.filter(batch=batch, file_digest__isnull=False)
    return (bytes(one) for one in rows.values_list("file_digest", flat=True) if one is not None)


def _begin_generation(study: Study, batches: list[Batch], reason: str, actor: str) -> None:
    now = clock.now()
    facts: dict[str, int | str]
    with transaction.atomic():
        row = Study.objects.select_for_update().get(pk=study.pk)
        row.generation, row.withdrawn_at = study.generation + 1, None
        row.save(update_fields=["generation", "withdrawn_at"])
        for batch in batches:
            was = batch.state
            if not batch.move(Job.PROCESS.waiting, queued_at=now, not_before=now, **NOTHING_YET):
                raise DataFault("StudyOnTheMove")
            Image.objects.filter(batch=batch).delete()
            facts = {"generation": row.generation, "state": was}
            history.record_reason(actor, reason, "batch.made_again", batch.pk, **facts)


def with_recipe(sha256: str) -> Iterator[int]:
    """The studies of which a batch was made by the recipe with that SHA-256."""
    found = Batch.objects.filter(recipe_sha256=sha256, study__isnull=False, study__withdrawn_at__isnull=True)
    yield from sorted(set(found.values_list("study", flat=True)))


def of_project(project: str) -> Iterator[int]:
    """The studies of a project that are not withdrawn."""
    found = Study.objects.filter(project=project, withdrawn_at__isnull=True)
    yield from found.order_by("pk").values_list("pk", flat=True)
