"""Who asked how much, and what was refused: a row for each request, and their sums for an operator."""

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
class Entry:
    """What is known of a request so far; nobody's until a token says whose."""

    call: str
    client: Client | None = None
    study: str = ""
    patients: int = 0
    studies: int = 0
    code: str = "UnexpectedFailure"

    def about(self, study: str, asked: Sequence[IdentityRequest]) -> None:
        """How much is asked."""
        self.study, self.patients = study.lower(), len(asked)
        self.studies = sum(len(one.items) for one in asked)


@contextmanager
def audited(call: str) -> Iterator[Entry]:
    """Whatever comes of the request, its row is kept; without a row there is no answer."""
    entry = Entry(call)
    try:
        yield entry
        entry.code = ""
    except SenditError as error:
        entry.code = error.code
        raise
    finally:
        _keep(entry)


def _keep(entry: Entry) -> None:
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


def _count(entry: Entry) -> None:
    """Nobody's requests of a minute share a row."""
    minute = timezone.now().replace(second=0, microsecond=0)
    row, is_new = Audit.objects.get_or_create(client=None, at=minute, call=entry.call, code=entry.code)
    if not is_new:
        Audit.objects.filter(pk=row.pk).update(requests=F("requests") + 1)


@dataclass(frozen=True, slots=True)
class Use:
    """What a client asked for, or nobody."""

    answered: int
    refused: int
    patients: int
    studies: int
    last_at: datetime | None


def use_of(client: Client | None, since: datetime) -> Use:
    """Since then; but `last_at` is of all times."""
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
