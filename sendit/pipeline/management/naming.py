"""How an operator names a batch on the command line, and how its numbers are shown there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sendit.ground.commands import WrongUse
from sendit.pipeline.reports.batches import BatchSummary, meant_by
from sendit.pipeline.reports.finding import Match

NUMBERS = ("found", "delivered", "filtered", "in_review", "errored")


def numbers_of(batch: BatchSummary | Match) -> Iterator[str]:
    """`found 5`, `delivered 4` …; images in review only where there are any."""
    for name in NUMBERS:
        number = getattr(batch, name)
        if number or name != "in_review":
            yield f"{name} {number:,}"


def named(identities: Sequence[str]) -> list[int]:
    """The keys of the batches that an operator names, each once, in the order given."""
    found: dict[int, None] = {}
    for place, identity in enumerate(identities, 1):
        keys = sorted(set(meant_by(identity)))
        if not keys:
            which = f" the ID given as number {place}" if len(identities) > 1 else ""
            raise WrongUse(f"No batch matches{which}.")
        if len(keys) > 1:
            choice = ", ".join(f"pk:{key}" for key in keys)
            raise WrongUse(f"The ID given as number {place} fits several batches; say one of {choice}.")
        found |= dict.fromkeys(keys)
    return list(found)
