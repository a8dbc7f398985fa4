"""The rectangles that a recipe's coordinates come to: later lines go before earlier ones, as in deid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from sendit.deid.burned_in.record import Box
from sendit.deid.recipe.filters import Region
from sendit.deid.recipe.screen import PixelTask

MOST_REGIONS = 64
"""More rectangles than these are no description of an image."""


def drawn(rule: str, boxes: Sequence[Box]) -> PixelTask:
    """Return the task of an image that a person has seen: these rectangles are blanked, and that is proven.

    It goes into the `Verdict` that `Deidentifier.deidentify` takes, whatever the recipe says of pixels. The output says
    what that of a cleaned image says.

    Parameters
    ----------
    rule : str
        What the report names as the rule.
    boxes : sequence of Box
        In pixels of the image as it is stored; they are blanked in every frame, widened to whole blocks in JPEG.
    """
    return PixelTask(
        rule, tuple(Region(False, (box.left, box.top, box.right, box.bottom)) for box in boxes), is_drawn=True
    )


def blanked_by(regions: Sequence[Region], rows: int, columns: int) -> tuple[Box, ...]:
    """Return disjoint rectangles of an image of that size: what the regions blank and do not keep again.

    Raises
    ------
    ValueError
        There are more regions than MOST_REGIONS.
    """
    if len(regions) > MOST_REGIONS:
        raise ValueError(len(regions))
    whole = Box(0, 0, columns, rows)
    boxes = [(whole if region.box is None else _reaching(region, rows, columns), region.keep) for region in regions]
    xs = sorted({0, columns, *(x for box, _ in boxes for x in (box.left, box.right))})
    ys = sorted({0, rows, *(y for box, _ in boxes for y in (box.top, box.bottom))})
    found: list[Box] = []
    for top, bottom in pairwise(ys):
        strips = _joined(Box(a, top, b, bottom) for a, b in pairwise(xs) if _is_blank(boxes, a, top))
        found = _stacked(found, strips)
    return tuple(found)


def _reaching(region: Region, rows: int, columns: int) -> Box:
    """The rectangle within the image. One that is kept has no pixel that is only partly in it."""
    assert region.box is not None
    return Box(*region.box).within(rows, columns)


def _is_blank(boxes: Sequence[tuple[Box, bool]], x: int, y: int) -> bool:
    for box, keep in reversed(boxes):
        if box.left <= x < box.right and box.top <= y < box.bottom:
            return not keep
    return False


def _joined(strips: Iterable[Box]) -> list[Box]:
    """Neighbours in one row as one."""
    found: list[Box] = []
    for strip in strips:
        if found and found[-1].right == strip.left:
            found[-1] = found[-1]._replace(right=strip.right)
        else:
            found.append(strip)
    return found


def _stacked(above: list[Box], strips: list[Box]) -> list[Box]:
    """The rectangles above with those below that go on with them."""
    found = list(above)
    for strip in strips:
        for index, box in enumerate(found):
            if (box.left, box.right, box.bottom) == (strip.left, strip.right, strip.top):
                found[index] = box._replace(bottom=strip.bottom)
                break
        else:
            found.append(strip)
    return found
