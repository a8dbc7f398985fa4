"""What a recipe's coordinates come to: pixel by pixel, the last line that speaks of a pixel decides."""

from __future__ import annotations

import random

import pytest

from sendit.deid.burned_in.looking.examination import merged
from sendit.deid.burned_in.masks import MOST_REGIONS, blanked_by
from sendit.deid.burned_in.record import Box
from sendit.deid.recipe.filters import Region

ROWS, COLUMNS = 12, 17


def painted(regions: list[Region]) -> list[list[bool]]:
    """The slow way: pixel by pixel."""
    blank = [[False] * COLUMNS for _ in range(ROWS)]
    for region in regions:
        left, top, right, bottom = region.box or (0, 0, COLUMNS, ROWS)
        for y in range(ROWS):
            for x in range(COLUMNS):
                if left <= x < right and top <= y < bottom:
                    blank[y][x] = not region.keep
    return blank


@pytest.mark.parametrize("seed", range(40))
def test_they_come_to_the_same_as_painting_pixel_by_pixel(seed: int) -> None:
    rng = random.Random(seed)
    regions = []
    for _ in range(rng.randrange(7)):
        left, top = rng.randrange(COLUMNS + 3), rng.randrange(ROWS + 3)
        box = (left, top, left + rng.randrange(12), top + rng.randrange(12))
        regions.append(Region(rng.random() < 0.4, None if rng.random() < 0.2 else box))
    found = blanked_by(regions, ROWS, COLUMNS)
    count = [[0] * COLUMNS for _ in range(ROWS)]
    for box in found:
        for y in range(box.top, box.bottom):
            for x in range(box.left, box.right):
                count[y][x] += 1
    assert [[bool(each) for each in row] for row in count] == painted(regions)
    assert max(map(max, count)) <= 1, "they do not overlap"


def test_the_whole_image_but_what_is_kept_is_what_stands_around_it() -> None:
    found = blanked_by([Region(False, None), Region(True, (2, 3, 10, 9))], ROWS, COLUMNS)
    assert sum(box.area for box in found) == ROWS * COLUMNS - 8 * 6


def test_more_regions_than_an_image_has_are_no_description() -> None:
    with pytest.raises(ValueError, match=str(MOST_REGIONS + 1)):
        blanked_by([Region(False, (0, 0, 1, 1))] * (MOST_REGIONS + 1), ROWS, COLUMNS)


def test_a_box_is_cut_to_the_image() -> None:
    assert Box(-3, 4, 99, 5).within(ROWS, COLUMNS) == Box(0, 4, COLUMNS, 5)
    assert Box(90, 90, 99, 99).within(ROWS, COLUMNS).area == 0


def test_rectangles_become_one_only_where_that_covers_hardly_more() -> None:
    line, longer, below, corner = Box(0, 0, 100, 10), Box(60, 0, 140, 10), Box(0, 30, 100, 40), Box(95, 5, 105, 60)
    assert merged([line, longer]) == [Box(0, 0, 140, 10)]
    assert merged([line, below]) == [line, below]
    assert set(merged([line, corner])) == {line, corner}
    assert merged([Box(2, 2, 5, 5), line, line]) == [line]
