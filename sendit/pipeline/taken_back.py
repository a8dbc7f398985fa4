"""What became of a wish to take studies back, to let them in again or to make them again, and how a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sendit.errors import SenditError
from sendit.ground.terminal import counted


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What became of a wish to take a study, or a batch that is of none yet, back."""

    batches: tuple[int, ...]
    archives: int
    """Removed now."""
    at_work: tuple[int, ...]
    """Batches that a worker has: it removes what is theirs."""
    refusals: tuple[SenditError, ...]
    """Why something is still there."""
    hosts: tuple[str, ...] = ()
    """Other hosts that still have what waited for its delivery; each removes it within a minute of its next work."""
    left: tuple[str, ...] = ()
    """Where a destination has images that it does not remove: their URIs, or its name where none is known."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the study is left anywhere."""
        return not (self.at_work or self.refusals or self.hosts or self.left)

    def sentences(self) -> Iterator[str]:
        """What was done, then a sentence for each thing that is left."""
        archives = counted(self.archives, "archive")
        yield f"batch {_listed(self.batches)}: withdrawn. {archives} removed, with rows and reports."
        if self.at_work:
            yield f"A worker has batch {_listed(self.at_work)}, and removes what is left of it."
        for host in self.hosts:
            yield f"Host {host} has what waited for its delivery, and removes it when its workers run next."
        for refusal in self.refusals:
            yield f"Something is still there: {refusal}"
        for where in self.left:
            yield f"What {where} has of it cannot be removed from here: let it be removed there."


@dataclass(frozen=True, slots=True)
class Remade:
    """What became, or would become, of a wish to make a study again."""

    study: int
    batches: tuple[int, ...]
    images: int
    recipes: tuple[str, ...]
    """SHA-256 of the recipes by which it was made."""
    missing: tuple[int, ...]
    """Batches whose originals are not all there, or that are on the move: the study is left alone."""
    generation: int

    @property
    def is_left_alone(self) -> bool:
        """Whether it cannot be made again."""
        return bool(self.missing)

    def sentence(self, outcome: str) -> str:
        """What is done to the study, by the keys of its batches; `outcome` is "queued again" or the like."""
        which = f"batch {_listed(self.batches)}"
        if self.is_left_alone:
            missing = _listed(self.missing)
            return f"{which}: left alone, because originals of batch {missing} are missing or a worker has it."
        recipes = ", ".join(sha256[:12] for sha256 in self.recipes) or "none"
        images = counted(self.images, "image")
        return f"{which}: {outcome}, as generation {self.generation}. {images}, by recipe {recipes} so far."


def _listed(batches: tuple[int, ...]) -> str:
    return ", ".join(map(str, batches))
