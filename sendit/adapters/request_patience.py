"""How long a worker waits for an object store that it asks over HTTP, whoever's it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a worker waits for the store before it puts the batch back."""

    connect_seconds: float = 10
    answer_seconds: float = 60
    attempts: int = 6
    """How often one request is made, with backoff in between."""
