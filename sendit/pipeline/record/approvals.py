"""Whether a project is approved: by a confirmed request that names its fingerprint and its recipe's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sendit.confirmations.models import Kind, Request, RequestState


@dataclass(frozen=True, slots=True)
class Subject:
    """What is approved: a project as it is configured, with its recipe as it is."""

    project: str
    project_sha256: str
    recipe_sha256: str

    @property
    def about(self) -> dict[str, str]:
        """Return what a request says of it."""
        return {"project_sha256": self.project_sha256, "recipe_sha256": self.recipe_sha256}


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved something, and when."""

    by: str
    at: datetime
    request: int


def approval_of(subject: Subject) -> Approval | None:
    """Return the newest approval of exactly this; None where it was never approved."""
    for row in _confirmed(subject.project):
        if {name: row.about.get(name) for name in subject.about} == subject.about and row.decided_at is not None:
            return Approval(row.decided_by, row.decided_at, row.pk)
    return None


def was_approved_before(project: str) -> bool:
    """Return whether the project was approved as it was once configured."""
    return bool(_confirmed(project))


def _confirmed(project: str) -> list[Request]:
    found = Request.objects.filter(project=project, kind=Kind.APPROVAL, state=RequestState.CONFIRMED)
    return list(found.defer("reason", "content", "result").order_by("-pk"))
