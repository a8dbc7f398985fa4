"""The audit: a row for each request, with how much was asked and what was refused, and sums for an operator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Max, Sum
from django.utils import timezone

from sendit.errors import SenditError
from sendit.identity_service.models import Audit, Client
from sendit.ports import IdentityRequest

UID, TOKENS = "uid", "tokens"


@dataclass(slots=True)
class AuditEntry:
    """What is known of a request so far; `client` is None until a valid token names it."""

    call: str
    client: Client | None = None
    study: str = ""
    patients: int = 0
    studies: int = 0
    code: str = "UnexpectedFailure"

    def about(self, study: str, asked: Sequence[IdentityRequest]) -> None:
        """Record how much is asked for."""
        self.study, self.patients = study.lower(), len(asked)
        self.studies = sum(len(one.items) for one in asked)


@contextmanager
def audited(call: str) -> Iterator[AuditEntry]:
    """Write the request's row when the block ends, also on an error. Without a row, nothing is answered."""
    entry = AuditEntry(call)
    try:
        yield entry
        entry.code = ""
    except SenditError as error:
        entry.code = error.code
        raise
    finally:
        _keep(entry)


def _keep(entry: AuditEntry) -> None:
    if entry.client is None:
        _count(entry)
        return
    Audit.objects.create(
        client=entry.client,
        call=entry.call,
        study=entry.study,
        patients=entry.patients,
        studies=entry.studies,
        code=entry.code,
    )


def _count(entry: AuditEntry) -> None:
    """Count a request without a client; such requests share a row per minute."""
    minute = timezone.now().replace(second=0, microsecond=0)
    row, is_new = Audit.objects.get_or_create(client=None, at=minute, call=entry.call, code=entry.code)
    if not is_new:
        Audit.objects.filter(pk=row.pk).update(requests=F("requests") + 1)


@dataclass(frozen=True, slots=True)
class Use:
    """How much a client asked for, or all requests without a client."""

    answered: int
    refused: int
    patients: int
    studies: int
    last_at: datetime | None


def use_of(client: Client | None, since: datetime) -> Use:
    """Sum up a client's requests since a moment; `last_at` is not limited to it."""
    rows = Audit.objects.filter(client=client)
    answered, refused = rows.filter(at__gte=since, code=""), rows.filter(at__gte=since).exclude(code="")
    sums = answered.aggregate(requests=Sum("requests"), patients=Sum("patients"), studies=Sum("studies"))
    return Use(
        answered=sums["requests"] or 0,
        refused=refused.aggregate(requests=Sum("requests"))["requests"] or 0,
        patients=sums["patients"] or 0,
        studies=sums["studies"] or 0,
        last_at=rows.aggregate(last=Max("at"))["last"],
    )
