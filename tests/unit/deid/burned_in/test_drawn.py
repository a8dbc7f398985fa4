"""What a person draws is blanked and proven, and nothing else is looked for."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless

from sendit.deid.burned_in import cleaning
from sendit.deid.burned_in.masks import drawn
from sendit.deid.burned_in.record import Box, Mask, Reason
from sendit.deid.engine import Deidentifier
from sendit.deid.pseudonyms import Pseudonyms
from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.recipe.screen import Verdict
from sendit.deid.rewriting.withheld import Withheld
from tests.support.burned_in import KEY, VARIABLES, encoded, image
from tests.unit.deid.burned_in.test_encoded_images import encoded_without_loss
from tests.unit.deid.burned_in.test_native_images import ensure_clean, gray

pytestmark = [
    pytest.mark.usefixtures("detector_of_tests"),
    pytest.mark.parametrize("detector_of_tests", ["FindsEverywhere"], indirect=True),
]
DRAWN = Box(8, 2, 24, 9)


def with_drawn(ds: Any, *boxes: Box) -> tuple[Any, Any]:
    deidentifier = Deidentifier(parse_recipe("FORMAT dicom\nPROFILE Basic"), Pseudonyms(KEY), VARIABLES)
    made = deidentifier.deidentify(encoded(ds), Verdict(True, pixels=drawn("reviewed", boxes)))
    return dcmread(io.BytesIO(made.tobytes())), made.pixels


@pytest.mark.parametrize("frames", [1, 3])
def test_only_what_was_drawn_is_blanked(frames: int) -> None:
    ds = image(gray(rows=200, frames=frames))
    after, record = with_drawn(ds, DRAWN)
    ensure_clean(ds, after, 0, DRAWN)
    assert record.masks == (Mask(DRAWN, Reason.DRAWN),) and (record.rule, record.detector) == ("reviewed", "")
    assert (after.BurnedInAnnotation, after.ImageType[0]) == ("NO", "DERIVED")


def test_compressed_frames_too() -> None:
    ds = encoded_without_loss(gray(rows=200), RLELossless)
    after, _ = with_drawn(ds, DRAWN)
    ensure_clean(ds, after, 0, DRAWN)


def test_rectangles_may_overlap_and_leave_the_image() -> None:
    ds = image(gray())
    after, _ = with_drawn(ds, Box(0, 0, 32, 6), Box(20, 0, 99, 99))
    assert (after.pixel_array[:6] == 0).all() and (after.pixel_array[:, 20:] == 0).all()
    assert (after.pixel_array[6:, :20] == ds.pixel_array[6:, :20]).all()


def test_an_image_that_is_drawn_over_altogether_is_withheld() -> None:
    with pytest.raises(Withheld) as caught:
        with_drawn(image(gray()), Box(0, 0, 32, 24))
    assert caught.value.rule == cleaning.ALL_BLANK
