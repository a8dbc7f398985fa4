"""What a person's roles let them see of a batch: identifiers, or not; a moment, or only its year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpRequest

from sendit.web.access import BATCHES
from sendit.web.reach import reach
from sendit.web.roles import IDENTIFIERS, TRUE_TIMES


@dataclass(frozen=True, slots=True)
class Eyes:
    """What one person may see."""

    sees_identifiers: bool
    sees_times: bool

    @classmethod
    def of(cls, request: HttpRequest) -> Eyes:
        """Return what the signed-in person may see of the batch in the address, or of all batches that are shown."""
        reached = reach(request)
        roles = reached.here if reached.batch is not None else reached.in_all(reached.projects(BATCHES))
        return cls(bool(roles & IDENTIFIERS), bool(roles & TRUE_TIMES))

    def moment(self, at: datetime | None) -> str:
        """Return a moment to the second, or its year."""
        if at is None:
            return ""
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if self.sees_times else f"{at.astimezone(UTC):%Y}"
