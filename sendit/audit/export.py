"""The trail for other systems: JSON lines, and the XML messages of PS3.15 A.5.1, one a row."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any
from xml.etree import ElementTree

from sendit.audit.acts import TABLE, Act, Code
from sendit.audit.models import AuditRow

SOURCE = "sendit"
IP_ADDRESS = "2"
"""Network Access Point Type Code."""
SYSTEM_OBJECT, OTHER_ROLE = "2", "20"
"""Participant Object Type Code, and its role: a job."""


def as_object(row: AuditRow) -> dict[str, Any]:
    """Return the row as one JSON object."""
    about = TABLE[Act(row.act)]
    return {
        "number": row.number,
        "at": row.at.astimezone(UTC).isoformat(),
        "event": about.event.meaning,
        "event_code": about.event.value,
        "type": about.type.meaning if about.type else None,
        "action": about.action,
        "outcome": row.outcome,
        "act": row.act,
        "actor": row.actor,
        "roles": row.roles.split(),
        "address": row.address,
        "seen": [{"kind": kind, "key": key} for kind, key in row.objects_seen],
        "reason": row.reason,
        "digest": row.digest,
    }


def as_json(row: AuditRow) -> str:
    """Return the row as a line of JSON."""
    return json.dumps(as_object(row))


def as_xml(row: AuditRow) -> str:
    """Return the row as one AuditMessage on one line."""
    about = TABLE[Act(row.act)]
    message = ElementTree.Element("AuditMessage")
    event = ElementTree.SubElement(
        message,
        "EventIdentification",
        EventActionCode=about.action,
        EventDateTime=row.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=str(row.outcome),
    )
    _coded(event, "EventID", about.event)
    if about.type:
        _coded(event, "EventTypeCode", about.type)
    _participant(message, row)
    ElementTree.SubElement(message, "AuditSourceIdentification", AuditSourceID=SOURCE)
    for kind, key in row.objects_seen:
        _object(message, kind, str(key), row)
    return ElementTree.tostring(message, encoding="unicode")


def _coded(parent: ElementTree.Element, name: str, code: Code, scheme: str = "DCM") -> None:
    attributes = {"csd-code": code.value, "codeSystemName": scheme, "originalText": code.meaning}
    ElementTree.SubElement(parent, name, attributes)


def _participant(message: ElementTree.Element, row: AuditRow) -> None:
    place = {"NetworkAccessPointID": row.address, "NetworkAccessPointTypeCode": IP_ADDRESS} if row.address else {}
    attributes = {"UserID": row.actor or "nobody", "UserIsRequestor": "true", **place}
    participant = ElementTree.SubElement(message, "ActiveParticipant", attributes)
    for role in row.roles.split():
        _coded(participant, "RoleIDCode", Code(role, role), SOURCE)


def _object(message: ElementTree.Element, kind: str, key: str, row: AuditRow) -> None:
    attributes = {
        "ParticipantObjectID": key,
        "ParticipantObjectTypeCode": SYSTEM_OBJECT,
        "ParticipantObjectTypeCodeRole": OTHER_ROLE,
    }
    about = ElementTree.SubElement(message, "ParticipantObjectIdentification", attributes)
    _coded(about, "ParticipantObjectIDTypeCode", Code(kind, kind), SOURCE)
    if row.reason:
        ElementTree.SubElement(about, "ParticipantObjectDescription").text = row.reason
