"""What is said of a study that is made again."""

from __future__ import annotations

from collections.abc import Iterator

from sendit.ground.terminal import counted
from sendit.pipeline.operations import Remade


def said_of(remade: Remade, outcome: str) -> Iterator[str]:
    """A line for the study, by the keys of its batches."""
    which = ", ".join(map(str, remade.batches))
    if remade.is_left_alone:
        missing = ", ".join(map(str, remade.missing))
        yield f"batch {which}: left alone, for originals of batch {missing} are missing, or it is on the move."
        return
    recipes = ", ".join(sha256[:12] for sha256 in remade.recipes) or "none"
    images = counted(remade.images, "image")
    yield f"batch {which}: {outcome}, as generation {remade.generation}. {images}, by recipe {recipes} so far."
