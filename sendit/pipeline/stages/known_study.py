"""A study that is known keeps the pseudonym and the date shift that it has, whatever has changed around it.

Without this the same study, sent again under another folder's name, would be delivered twice under two pseudonyms, and
the dates of two of its parts would disagree once MAX_DATE_SHIFT_DAYS was changed between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sendit.errors import DataFault
from sendit.pipeline.record import studies
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Study
from sendit.pipeline.stages.earlier_version import DeliveredUids
from sendit.pipeline.stages.importing import ImportedStudy
from sendit.ports import IdentityRequest, IdentityResponse, Pseudonym
from sendit.projects.composition import Ports, identity_service


def with_known_study(study: ImportedStudy, response: IdentityResponse, batch: int, ports: Ports) -> IdentityResponse:
    """The identity service's answer, with the pseudonym and the date shift of the study where it is known already."""
    uids = {facts.series.study_instance_uid for facts in study.found} - {""}
    known = _known(uids, response, batch, ports) if uids else None
    if known is None or known.item_suid == response.items[0].suid:
        return response
    return replace(response, items=(_answered(known, response.items[0]), *response.items[1:]))


def _known(uids: set[str], response: IdentityResponse, batch: int, ports: Ports) -> Study | None:
    """The study of the same patient that has one of these Study Instance UIDs."""
    of_patient = studies.of_patient(ports.project.name, response.entity.suid)
    for row in of_patient:
        if any(studies.are_known(row, {uid}) for uid in uids):
            return row
    return next((row for row in of_patient if not row.uid_digests and _has_delivered(row, uids, batch, ports)), None)


def _has_delivered(row: Study, uids: set[str], batch: int, ports: Ports) -> bool:
    """Whether an earlier version, which kept no digests of Study Instance UIDs, delivered images with these."""
    archives = studies.delivered(row, batch)[1]
    with suppress(DataFault):  # the warehouse does not know them any more
        return bool(archives) and DeliveredUids(archives, ports).are_of_study(uids)
    return False


def _answered(known: Study, asked: Pseudonym) -> Pseudonym:
    """What was answered of the study before; after a purge, its pseudonym with the date shift of its patient."""
    kept = _kept(Batch.objects.filter(study=known).values_list("pk", flat=True), known)
    return kept.items[0] if kept else replace(asked, suid=known.item_suid)


def _kept(batches: Iterable[int], known: Study) -> IdentityResponse | None:
    """What was answered when one of these batches of the study was made; None where that was purged."""
    rows = BatchIdentifiers.objects.filter(batch__in=batches).only("response").order_by("batch")[:LOOKED_AT]
    for answer in filter(None, (row.response.reveal() for row in rows)):
        for item in answer["items"]:
            if item["suid"] == known.item_suid:
                return IdentityResponse(_pseudonym(answer), (_pseudonym(item),))
    return None


def _pseudonym(kept: Mapping[str, Any]) -> Pseudonym:
    return Pseudonym(kept["suid"], kept["jitter"], kept["jittered_timestamp"])


LOOKED_AT = 20
"""So many batches of the study are asked what was answered; some may have been purged."""

# ---------------------------------------------------------------------------------------------- the date shift


def with_first_shift(known: Study, asked: IdentityResponse, request: IdentityRequest, ports: Ports) -> IdentityResponse:
    """The answer with the date shift of the parts that the study's generation has; the caller holds the study.

    The shift stands in what was answered then. Once that was purged, it follows from the setting of then.
    """
    now, made = ports.project.max_date_shift_days, studies.batches_of_generation(known)
    if not made:
        studies.keep_longest_shift(known, now)
        return asked
    first = _kept(made, known)
    if first is None and known.longest_shift_days not in (None, now):
        of_then = replace(ports.project, max_date_shift_days=known.longest_shift_days)
        first = identity_service(ports.site, of_then).identify(request)
    if first is None:
        return asked
    entity, item = _shifted_as(asked.entity, first.entity), _shifted_as(asked.items[0], first.items[0])
    return IdentityResponse(entity, (item, *asked.items[1:]))


def _shifted_as(asked: Pseudonym, first: Pseudonym) -> Pseudonym:
    """The pseudonym with the shift of the first; its date is moved by the difference."""
    days = first.jitter - asked.jitter
    return replace(asked, jitter=first.jitter, timestamp=_moved(asked.timestamp, days)) if days else asked


def _moved(timestamp: str | None, days: int) -> str | None:
    """The instant so many days later; None where there is none, or where it would leave the calendar."""
    try:
        moved = datetime.fromisoformat(timestamp or "") + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return moved.isoformat().replace("+00:00", "Z")
