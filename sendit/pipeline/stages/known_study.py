"""A study that is known by its Study Instance UID keeps the pseudonym that it has, whatever its folder is called.

Without this the same study, sent again under another folder's name, would be delivered twice under two pseudonyms.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from sendit.errors import DataFault
from sendit.pipeline.record import studies
from sendit.pipeline.record.models import BatchIdentifiers, Study
from sendit.pipeline.stages.earlier_version import DeliveredUids
from sendit.pipeline.stages.importing import ImportedStudy
from sendit.ports import IdentityResponse, Pseudonym
from sendit.projects.composition import Ports


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
    for kept in BatchIdentifiers.objects.filter(batch__study=known).only("response").order_by("batch")[:LOOKED_AT]:
        for item in (kept.response.reveal() or {}).get("items", ()):
            if item["suid"] == known.item_suid:
                return Pseudonym(item["suid"], item["jitter"], item["jittered_timestamp"])
    return replace(asked, suid=known.item_suid)


LOOKED_AT = 20
"""So many batches of the study are asked what was answered; some may have been purged."""
