"""How an operator names a batch on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from sendit.ground.commands import WrongUse
from sendit.pipeline.reports.batches import meant_by


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
