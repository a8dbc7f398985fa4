"""What whoever takes folders may ask about one: whether the listener made it, and why it was complete."""

from __future__ import annotations

from dataclasses import dataclass

from sendit.receiving.models import Arrival


@dataclass(frozen=True, slots=True)
class Arrived:
    """How a folder came about: what made it complete, and how many images the listener put into it."""

    evidence: str
    images: int


def arrived(folder_digest: str) -> Arrived | None:
    """Return how the folder with this keyed digest of its path arrived; None if the listener did not make it."""
    row = Arrival.objects.filter(folder_digest=folder_digest).first()
    return Arrived(row.evidence, row.images) if row else None
