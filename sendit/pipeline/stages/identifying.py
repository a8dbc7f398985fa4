"""Identify: the identity service gives pseudonyms for the patient and the study; both sides are kept."""

from __future__ import annotations

from typing import Any

from sendit.pipeline.record.models import BatchIdentifiers
from sendit.pipeline.stages.identity import request_for
from sendit.pipeline.stages.importing import Asked, ImportedStudy
from sendit.pipeline.stages.known_study import with_first_shift, with_known_study
from sendit.pipeline.stages.work import Work
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse
from sendit.projects.composition import Ports
from sendit.projects.project import IdentityNames


def identify(work: Work, study: ImportedStudy, ports: Ports) -> IdentityResponse:
    """Ask for the study's pseudonyms. Raises ServiceDown, ServiceRefused, Misconfigured."""
    work.stage = "identify"
    names, request = study.names, _request(study)
    work.identified["extracted"] = {
        names.entity_keyword: study.entity_id.reveal(),
        names.item_keyword: study.item_id.reveal(),
        "PatientBirthDate": study.birth_date.reveal(),
        "StudyDate": study.study_date.reveal(),
    }
    work.identified["request"] = request_record(request)
    response = ports.identity_service.identify(request)
    response = with_known_study(study, response, work.batch.pk, ports)
    work.identified["response"] = response_record(response)
    work.lease.check()
    return response


def shift_as_before(work: Work, study: ImportedStudy, response: IdentityResponse, ports: Ports) -> IdentityResponse:
    """The answer with the date shift that the study's parts have; the batch holds the study."""
    known = work.batch.study
    assert known is not None
    response = with_first_shift(known, response, _request(study), ports)
    work.identified["response"] = response_record(response)
    return response


def _request(study: ImportedStudy) -> IdentityRequest:
    return request_for(study.names, study.entity_id, study.item_id, study.birth_date, study.study_date)


def asked_before(work: Work, names: IdentityNames) -> Asked | None:
    """What was asked for an earlier part of the batch; blank where that was purged, None without such a part."""
    if not work.earlier.are_there:
        return None
    kept = BatchIdentifiers.objects.filter(batch=work.batch.pk).only("extracted").first()
    extracted = (kept.extracted.reveal() if kept else None) or {}
    keywords = (names.entity_keyword, names.item_keyword, "PatientBirthDate", "StudyDate")
    return Asked(*(extracted.get(keyword, "") for keyword in keywords))


def request_record(request: IdentityRequest) -> dict[str, Any]:
    """The request as BatchIdentifiers keeps it."""
    return _record(request) | {"study": request.study, "items": [_record(item) for item in request.items]}


def response_record(response: IdentityResponse) -> dict[str, Any]:
    """The answer as BatchIdentifiers keeps it."""
    entity, *items = (
        {"suid": one.suid, "jitter": one.jitter, "jittered_timestamp": one.timestamp}
        for one in (response.entity, *response.items)
    )
    return entity | {"items": items}


def _record(asked: IdentityRequest | IdentityItem) -> dict[str, Any]:
    timestamp = asked.timestamp.reveal() if asked.timestamp else None
    return {"id": asked.id.reveal(), "id_source": asked.id_source, "id_timestamp": timestamp}
