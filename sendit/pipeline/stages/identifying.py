"""Identify: the identity service gives pseudonyms for the patient and the study, and the recipe its variables."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.conf import settings

from sendit.deid.phi import Phi
from sendit.pipeline import wiring
from sendit.pipeline.stages.importing import Study
from sendit.pipeline.stages.work import Work
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse, Pseudonym


def identify(work: Work, study: Study) -> IdentityResponse:
    """Ask for the study's pseudonyms. Raises ServiceDown, ServiceRefused, Misconfigured."""
    work.stage = "identify"
    request = request_for(study)
    work.identified["extracted"] = {
        settings.ENTITY_ID: study.entity_id.reveal(),
        settings.ITEM_ID: study.item_id.reveal(),
        "PatientBirthDate": study.birth_date.reveal(),
        "StudyDate": study.study_date.reveal(),
    }
    work.identified["request"] = request_record(request)
    response = wiring.identity_service().identify(request)
    work.identified["response"] = response_record(response)
    work.lease.check()
    return response


def request_for(study: Study) -> IdentityRequest:
    """The request that WIRE 1 describes."""
    item = IdentityItem(study.item_id, settings.ITEM_ID_SOURCE, instant(study.study_date))
    return IdentityRequest(
        study=settings.SOM_STUDY.lower(),
        id=study.entity_id,
        id_source=settings.ENTITY_ID_SOURCE,
        timestamp=instant(study.birth_date),
        items=(item,),
    )


def variables(response: IdentityResponse) -> dict[str, Any]:
    """What a recipe's `var:` may name; timestamps are text that DA can hold."""
    entity, item = response.entity, response.items[0]
    return {
        "entity_id": entity.suid,
        "entity_id_source": settings.ENTITY_ID_SOURCE,
        "entity_timestamp": date_text(entity),
        "item_id": item.suid,
        "item_id_source": settings.ITEM_ID_SOURCE,
        "item_timestamp": date_text(item),
        "jitter": item.jitter,
    }


def instant(date: Phi[str]) -> Phi[str] | None:
    """A DA (PS3.5 6.2; the old form with dots too) as the instant at which it begins, None where it is no date."""
    digits = date.reveal().strip().replace(".", "")
    try:
        return Phi(datetime.strptime(digits, "%Y%m%d").strftime("%Y-%m-%dT00:00:00Z"))
    except ValueError:
        return None


def date_text(pseudonym: Pseudonym) -> str:
    """The shifted date as DA; blank where none was asked or answered."""
    matched = re.match(r"(\d{4})-(\d\d)-(\d\d)", pseudonym.timestamp or "")
    return "".join(matched.groups()) if matched else ""


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
