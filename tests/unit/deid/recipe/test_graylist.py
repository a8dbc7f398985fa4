"""A graylist: its images pass once their pixels are clean, under a profile that cleans pixels, and under no other."""

from __future__ import annotations

import pytest

from sendit.deid.recipe.filters import Looking, Region
from sendit.deid.recipe.recipe import Recipe, RecipeError, parse_recipe
from sendit.deid.recipe.screen import PixelTask, Verdict, screen
from tests.unit.deid.recipe.test_screen import Values

CLEAN, BASIC = "PROFILE Basic + Clean Pixel Data", "PROFILE Basic"
US = Values(Modality="US")


def recipe(*lines: str, profile: str = CLEAN) -> Recipe:
    return parse_recipe("\n".join(["FORMAT dicom", profile, *lines]))


def verdict(*lines: str, profile: str = CLEAN, header: Values = US) -> Verdict:
    return screen(header, recipe(*lines, profile=profile))


GRAY = ("%filter graylist", "LABEL ultrasound", "equals Modality US")


@pytest.mark.parametrize("line", ["detect text", "DETECT Text sample", "coordinates 0,0,10,20", "coordinates all"])
def test_an_image_passes_with_a_task_under_clean_pixel_data_alone(line: str) -> None:
    found = verdict(*GRAY, line)
    assert (found.passed, found.rule, found.group) == (True, "ultrasound", "graylist")
    assert found.pixels is not None and found.pixels.rule == "ultrasound"
    assert found.pixels.sampled is ("sample" in line)
    for profile in (BASIC, "# no profile"):
        kept = verdict(*GRAY, line, profile=profile)
        assert (kept.passed, kept.pixels, kept.rule) == (False, None, "ultrasound")


def test_a_label_that_says_nothing_of_pixels_withholds() -> None:
    assert verdict(*GRAY) == Verdict(False, "ultrasound", "graylist", "equals Modality")


def test_coordinates_of_every_label_that_fits_are_gathered() -> None:
    more = ("LABEL depth scale", "equals Modality US", "keepcoordinates 1,2,3,4", "detect text")
    found = verdict(*GRAY, "coordinates 0,0,9,9", "detect text sample", *more)
    regions = (Region(False, (0, 0, 9, 9)), Region(True, (1, 2, 3, 4)))
    assert found.pixels == PixelTask("ultrasound", regions, named=("ultrasound", "depth scale"))


def test_all_labels_that_fit_say_sample_where_a_sample_is_enough() -> None:
    found = verdict(*GRAY, "detect text sample", "LABEL again", "equals Modality US", "detect text sample")
    assert found.pixels is not None and found.pixels.sampled


@pytest.mark.parametrize("after", ["blacklist", "our own list", "graylist"])
def test_a_later_label_that_withholds_has_the_last_word(after: str) -> None:
    found = verdict(*GRAY, "detect text", f"%filter {after}", "LABEL no consent", "equals Modality US")
    assert (found.passed, found.rule, found.pixels) == (False, "no consent", None)


def test_a_whitelist_before_it_lets_an_image_pass_as_it_is_and_one_behind_it_does_not() -> None:
    white = ("%filter whitelist", "LABEL ours", "equals Modality US")
    assert verdict(*white, *GRAY, "detect text").pixels is None
    assert verdict(*GRAY, "detect text", *white).pixels == PixelTask("ultrasound")


def test_an_image_that_no_label_names_is_left_alone() -> None:
    assert verdict(*GRAY, "detect text", header=Values(Modality="CT")) == Verdict(True)


@pytest.mark.parametrize(
    ("lines", "column", "reason"),
    [
        (("%filter graylist", "LABEL x", "  detect"), 9, "what is detected is text"),
        (("%filter graylist", "LABEL x", "detect faces"), 8, "what is detected is text"),
        (("%filter graylist", "LABEL x", "detect text often"), 13, "or sample"),
        (("%filter blacklist", "LABEL x", "detect text"), 1, "under a LABEL of %filter graylist"),
        (("%filter whitelist", "LABEL x", "detect text"), 1, "under a LABEL of %filter graylist"),
        (("%filter graylist", "LABEL x", "detect text", "detect text sample"), 1, "stands once"),
        (("%filter graylist", "detect text"), 1, "a LABEL is expected"),
    ],
)
def test_a_line_that_is_none_is_refused_where_it_stands(lines: tuple[str, ...], column: int, reason: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe(*lines)
    assert (caught.value.line, caught.value.column) == (2 + len(lines), column)
    assert reason in caught.value.reason


def test_a_label_of_detection_alone_fits_every_image() -> None:
    (filters,) = recipe("%filter graylist", "LABEL all", "detect text").filters
    assert filters.labels[0].looking is Looking.ALL
    assert verdict("%filter graylist", "LABEL all", "detect text", header=Values()).pixels == PixelTask("all")


def test_what_a_recipe_withheld_it_withholds_whatever_the_shipped_ones_have_learned() -> None:
    text = "FORMAT dicom\nINCLUDE screening\nPROFILE Basic"
    prefix, original = "1.2.840.10008.5.1.4.1.1.", ("ORIGINAL", "PRIMARY")
    screen_save = ("DERIVED", "SECONDARY", "SCREEN SAVE")
    withheld = [
        {"Modality": "US", "SOPClassUID": f"{prefix}6.1"},
        {"Modality": "ES", "SOPClassUID": f"{prefix}77.1.1", "BurnedInAnnotation": "NO"},
        {"Modality": "SM", "SOPClassUID": f"{prefix}77.1.6", "ImageType": (*original, "VOLUME")},
        {"Modality": "CT", "SOPClassUID": f"{prefix}2", "ImageType": screen_save, "BurnedInAnnotation": "NO"},
        {"Modality": "CT", "SOPClassUID": f"{prefix}2", "ImageType": original, "BurnedInAnnotation": "YES"},
    ]
    for header in withheld:
        assert not screen(Values(**header), parse_recipe(text)).passed, header  # type: ignore[arg-type]


@pytest.mark.parametrize("image_type", [("ORIGINAL", "PRIMARY", "LABEL"), ("DERIVED", "PRIMARY", "OVERVIEW"), ()])
def test_the_label_of_a_slide_is_withheld_by_every_recipe(image_type: tuple[str, ...]) -> None:
    text = "FORMAT dicom\nINCLUDE screening\nINCLUDE pixels\nPROFILE Basic + Clean Pixel Data"
    header = Values(Modality="SM", SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.6", ImageType=image_type)
    assert screen(header, parse_recipe(text)).rule == "whole slide that is no volume image"
