"""The screen: how criteria, lines and labels are evaluated, and what the default recipe withholds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydicom.datadict import tag_for_keyword

from sendit.deid.recipe.filters import Region
from sendit.deid.recipe.recipe import load_recipe, parse_recipe
from sendit.deid.recipe.screen import HeaderValues, PixelTask, Verdict, screen
from sendit.deid.stream.header import read_header
from tests.support.phantoms import bundled

CT, MR, CR, DX, MG = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "4", "1", "1.1", "1.2"))
US, US_MULTI, NM, PT, XA, RF, SC = (
    f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("6.1", "3.1", "20", "128", "12.1", "12.2", "7")
)


class Values:
    """A header made of keywords and values; a list is a sequence."""

    def __init__(self, **attributes: str | tuple[str, ...] | list[Values]) -> None:
        self._attributes = {tag_for_keyword(keyword): value for keyword, value in attributes.items()}

    def get(self, attribute: int, /) -> object | None:
        value = self._attributes.get(attribute)
        if isinstance(value, str):
            return (value,) if value else ()
        return value

    def items(self, attribute: int, /) -> Sequence[HeaderValues]:
        value = self._attributes.get(attribute)
        return value if isinstance(value, list) else ()


def screened(*lines: str, **attributes: str | tuple[str, ...] | list[Values]) -> Verdict:
    """The verdict of a recipe of these filter lines."""
    return screen(Values(**attributes), parse_recipe("\n".join(["FORMAT dicom", *lines])))


def fits(*lines: str, **attributes: str | tuple[str, ...] | list[Values]) -> bool:
    """Whether a blacklist's label of these lines fits."""
    return not screened("%filter blacklist", "LABEL x", *lines, **attributes).passed


# ------------------------------------------------------------------------------------------------ one criterion


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("contains Manufacturer ge", "GE MEDICAL", True),
        ("contains Manufacturer ^ge$", "GE MEDICAL", False),
        ("contains Manufacturer siemens|ge", "GE MEDICAL", True),
        ("contains Manufacturer \\D+", "123", False),
        ("notcontains Manufacturer ge", "GE MEDICAL", False),
        ("notcontains Manufacturer siemens", "GE MEDICAL", True),
        ("equals Manufacturer ge medical", "GE MEDICAL ", True),
        ("equals Manufacturer ge", "GE MEDICAL", False),
        ("equals Manufacturer siemens|ge medical", "GE MEDICAL", True),
        ("notequals Manufacturer ge", "GE MEDICAL", True),
        ("notequals Manufacturer siemens|ge medical", "GE MEDICAL", False),
        ("missing Manufacturer", "GE MEDICAL", False),
        ("present Manufacturer", "GE MEDICAL", True),
        ("empty Manufacturer", "GE MEDICAL", False),
        ("empty Manufacturer", "", True),
        ("empty Manufacturer", " ", True),
        ("empty Manufacturer", "0", False),
        ("missing Manufacturer", "", False),
        ("present Manufacturer", "", True),
        ("contains Manufacturer .+", "", False),
        ("NotContains Manufacturer x", "y", True),
        ("contains manufacturer ge", "GE MEDICAL", True),
        ("contains 0x00080070 ge", "GE MEDICAL", True),
        ("contains (0008,0070) ge", "GE MEDICAL", True),
        ("contains 00080070 ge", "GE MEDICAL", True),
    ],
)
def test_a_criterion_of_a_value(line: str, value: str, expected: bool) -> None:
    assert fits(line, Manufacturer=value) is expected


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ("contains Manufacturer x", False),
        ("notcontains Manufacturer x", True),
        ("equals Manufacturer x", False),
        ("notequals Manufacturer x", True),
        ("missing Manufacturer", True),
        ("present Manufacturer", False),
        ("empty Manufacturer", False),
    ],
)
def test_a_criterion_of_an_absent_attribute(criterion: str, expected: bool) -> None:
    assert fits(criterion) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("equals ImageType primary", True),
        ("equals ImageType primary\\axial", False),
        ("equals ImageType original\\primary\\axial", True),
        ("contains ImageType ^prim", True),
        ("contains ImageType primary.*axial", True),
        ("notequals ImageType primary", False),
        ("contains ImageType '", False),
    ],
)
def test_each_of_several_values_is_asked(line: str, expected: bool) -> None:
    assert fits(line, ImageType=("ORIGINAL", "PRIMARY", "AXIAL")) is expected


@pytest.mark.parametrize(
    ("criterion", "of_two_items", "of_none"),
    [("present", True, True), ("missing", False, False), ("empty", False, True)],
)
def test_a_sequence_is_present_missing_or_empty(criterion: str, of_two_items: bool, of_none: bool) -> None:
    line = f"{criterion} RequestAttributesSequence"
    assert fits(line, RequestAttributesSequence=[Values(), Values()]) is of_two_items
    assert fits(line, RequestAttributesSequence=[]) is of_none


def test_a_repeating_groups_keyword_asks_each_of_its_groups() -> None:
    class SecondOverlay(Values):
        def get(self, attribute: int, /) -> object | None:
            return ("12",) if attribute == 0x60020102 else None

    rules = parse_recipe("FORMAT dicom\n%filter blacklist\nLABEL x\ncontains OverlayBitPosition ^[1-9]\n")
    assert not screen(SecondOverlay(), rules).passed


# ------------------------------------------------------------------------------------------------ lines and labels


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["equals Modality CT", "+ equals Rows 512"], "both"),
        (["equals Modality CT", "|| equals Rows 512"], "either"),
        (["equals Modality CT", "equals Rows 512"], "either"),
        (["equals Modality CT + equals Rows 512"], "both"),
        (["equals Modality CT || equals Rows 512"], "either"),
        (["+ equals Modality CT", "+ equals Rows 512"], "both"),
        (["|| equals Modality CT", "+ equals Rows 512"], "both"),
        (["equals Modality CT || equals Modality PT + equals Rows 512"], "both"),
        (["equals Modality PT", "|| equals Modality CT", "+ equals Rows 512"], "both"),
        (["equals Rows 512 + equals Modality CT || equals Modality XA"], "both"),
        (["missing PatientSex + equals Modality CT + equals Rows 512"], "both"),
        (["equals Rows 512", "+ equals Modality PT || equals Modality CT"], "both"),
    ],
)
def test_lines_and_inner_operators_are_joined_from_left_to_right(lines: list[str], expected: str) -> None:
    found = [
        fits(*lines, Modality=modality, Rows=rows)
        for modality, rows in (("CT", "512"), ("CT", "256"), ("MR", "512"), ("MR", "256"))
    ]
    assert found == {"both": [True, False, False, False], "either": [True, True, True, False]}[expected]


def test_a_label_of_coordinates_alone_fits_every_image() -> None:
    verdict = screened("%filter graylist", "LABEL blank image", "coordinates all")
    assert verdict == Verdict(False, "blank image", "graylist", "every image", (Region(False, None),))


# ------------------------------------------------------------------------------------------------ verdicts

LISTS = [
    "%filter whitelist", "LABEL our scanner # checked", "equals Manufacturer GE",
    "%filter graylist", "LABEL dose report", "equals Modality CT", "+ contains SeriesDescription dose",
    "coordinates 0,0,512,110",
    "%filter blacklist", "LABEL burned in", "equals BurnedInAnnotation YES",
]  # fmt: skip


def test_an_image_that_fits_no_label_passes() -> None:
    assert screened(*LISTS, Modality="MR") == Verdict(True)
    assert screened("%header", "REMOVE ALL", Modality="MR") == Verdict(True)


def test_a_whitelisted_image_passes_at_once() -> None:
    verdict = screened(*LISTS, Manufacturer="GE", BurnedInAnnotation="YES")
    assert verdict == Verdict(True, "our scanner", "whitelist", "equals Manufacturer")


def test_a_blacklisted_image_is_withheld_by_its_label() -> None:
    verdict = screened(*LISTS, BurnedInAnnotation="YES")
    assert (verdict.passed, verdict.rule, verdict.group) == (False, "burned in", "blacklist")


def test_a_graylisted_image_is_withheld_with_its_coordinates() -> None:
    verdict = screened(*LISTS, Modality="CT", SeriesDescription="Dose Report")
    assert verdict == Verdict(
        False,
        "dose report",
        "graylist",
        "equals Modality + contains SeriesDescription",
        (Region(False, (0, 0, 512, 110)),),
    )


def test_a_filter_of_any_other_name_withholds() -> None:
    assert not screened("%filter dangerouscookie", "LABEL x", "present Rows", Rows="1").passed


def test_the_filter_that_stands_first_decides() -> None:
    strict = [*LISTS[-3:], *LISTS[:-3]]
    assert not screened(*strict, Manufacturer="GE", BurnedInAnnotation="YES").passed


def test_a_reason_names_no_value() -> None:
    verdict = screened(
        "%filter f", "LABEL x", "equals PatientName Doe^Jane || contains PatientID 4711", PatientName="Doe^Jane"
    )
    assert verdict.reason == "equals PatientName || contains PatientID"


def test_every_label_of_the_filter_that_fits_gives_its_coordinates() -> None:
    verdict = screened(
        "%filter graylist",
        "LABEL blank image", "coordinates all",
        "LABEL another scanner", "equals Manufacturer GE", "coordinates 1,1,2,2",
        "LABEL regions", "present SequenceOfUltrasoundRegions", "keepcoordinates from:SequenceOfUltrasoundRegions",
        SequenceOfUltrasoundRegions=[_region("10", "20", "300", "400"), _region("0", "0", "5", "6"), Values()],
    )  # fmt: skip
    assert verdict.rule == "blank image"
    assert verdict.coordinates == (Region(False, None), Region(True, (10, 20, 300, 400)), Region(True, (0, 0, 5, 6)))


def test_the_regions_of_one_image_are_not_those_of_the_next() -> None:
    recipe = parse_recipe(
        "FORMAT dicom\n%filter graylist\nLABEL x\npresent SequenceOfUltrasoundRegions\n"
        "keepcoordinates from:SequenceOfUltrasoundRegions\n"
    )
    first = screen(Values(SequenceOfUltrasoundRegions=[_region("1", "2", "3", "4")]), recipe)
    second = screen(Values(SequenceOfUltrasoundRegions=[_region("5", "6", "7", "8")]), recipe)
    assert (first.coordinates, second.coordinates) == ((Region(True, (1, 2, 3, 4)),), (Region(True, (5, 6, 7, 8)),))


def _region(left: str, top: str, right: str, bottom: str) -> Values:
    return Values(
        RegionLocationMinX0=left, RegionLocationMinY0=top, RegionLocationMaxX1=right, RegionLocationMaxY1=bottom
    )


# ------------------------------------------------------------------------------------------------ the default recipe

RESEARCH, BASIC = load_recipe("research"), load_recipe("basic")
ORIGINAL = ("ORIGINAL", "PRIMARY", "AXIAL")


@pytest.mark.parametrize(
    ("modality", "sop_class", "more"),
    [
        ("CT", CT, {}),
        ("CT", CT, {"ImageType": ("ORIGINAL", "PRIMARY", "LOCALIZER")}),
        ("CT", CT, {"ImageType": ("DERIVED", "SECONDARY", "MPR")}),
        ("MR", MR, {"ImageType": ("DERIVED", "SECONDARY", "OTHER")}),
        ("MR", MR, {"SeriesDescription": "rescanned because of motion"}),
        ("NM", NM, {}),
        ("PT", PT, {}),
        ("RTDOSE", "1.2.840.10008.5.1.4.1.1.481.2", {}),
        ("SEG", "1.2.840.10008.5.1.4.1.1.66.4", {}),
    ],
)
def test_an_ordinary_image_passes(modality: str, sop_class: str, more: dict[str, str | tuple[str, ...]]) -> None:
    attributes = {"Modality": modality, "SOPClassUID": sop_class, "ImageType": ORIGINAL, "SamplesPerPixel": "1", **more}
    assert screen(Values(**attributes), RESEARCH) == Verdict(True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("modality", "sop_class", "more"),
    [
        ("CR", CR, {"ImageType": ("DERIVED", "PRIMARY")}),
        ("DX", DX, {}),
        ("MG", MG, {}),
        ("XA", XA, {}),
        ("US", US, {"BurnedInAnnotation": "NO", "SamplesPerPixel": "3"}),
        ("US", US_MULTI, {"BurnedInAnnotation": "no "}),
        ("RF", RF, {"BurnedInAnnotation": "NO"}),
        ("OT", SC, {"BurnedInAnnotation": "NO"}),
        ("CT", CT, {"SamplesPerPixel": "3", "BurnedInAnnotation": "NO"}),
    ],
)
def test_pixels_are_looked_at_whatever_the_header_says_of_them_where_the_profile_cleans_them(
    modality: str, sop_class: str, more: dict[str, str | tuple[str, ...]]
) -> None:
    attributes = {"Modality": modality, "SOPClassUID": sop_class, "ImageType": ORIGINAL, "SamplesPerPixel": "1", **more}
    verdict = screen(Values(**attributes), RESEARCH)  # type: ignore[arg-type]
    assert verdict.passed and verdict.pixels == PixelTask(verdict.rule)
    assert screen(Values(**attributes), BASIC) == Verdict(True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "sop_class", "more"),
    [
        ("burned-in annotation", CT, {"BurnedInAnnotation": "YES"}),
        ("recognizable visual features", MR, {"RecognizableVisualFeatures": "YES"}),
        ("no SOP class", "", {}),
        ("not an image class that this recipe knows", "1.2.840.10008.5.1.4.1.1.9.4.1", {"Modality": "AU"}),
        ("not an image class that this recipe knows", "1.2.840.10008.5.1.4.1.1.9.4.2", {"Modality": "ECG"}),
        ("not an image class that this recipe knows", "1.2.840.10008.5.1.4.1.1.88.2", {"Modality": "SR"}),
        ("not an image class that this recipe knows", "1.2.840.10008.5.1.4.1.1.104.1", {"Modality": "DOC"}),
        ("not an image class that this recipe knows", "1.2.840.10008.5.1.4.1.1.104.2", {"Modality": "SR"}),
        ("not an image class that this recipe knows", "1.2.840.10008.5.1.4.1.1.77.1.4.1", {"Modality": "XC"}),
        ("not an image class that this recipe knows", "1.2.840.10008.5.1.4.1.1.77.1.4", {}),
        ("not an image class that this recipe knows", "1.2.840.10008.5.1.4.1.1.20.1", {}),
        ("document, report or presentation", CT, {"Modality": "DOC"}),
        ("document, report or presentation", CT, {"Modality": "SR"}),
        ("screen save, report or protocol page", CT, {"ImageType": ("DERIVED", "SECONDARY", "SCREEN SAVE")}),
        ("screen save, report or protocol page", CT, {"ImageType": ("DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT")}),
        ("screen save, report or protocol page", CT, {"SeriesDescription": "Dose Report"}),
        ("screen save, report or protocol page", CT, {"SeriesDescription": "Patient Protocol"}),
        ("image type missing", CT, {"ImageType": ()}),
        ("image type missing", NM, {"ImageType": ""}),
        ("secondary capture, not declared free of burned-in text", SC, {"Modality": "CT"}),
        ("secondary capture, not declared free of burned-in text", CR, {"SecondaryCaptureDeviceManufacturer": ""}),
        ("secondary capture, not declared free of burned-in text", CT, {"Modality": "OT"}),
        ("ultrasound, not declared free of burned-in text", US, {"Modality": "US"}),
        ("ultrasound, not declared free of burned-in text", US_MULTI, {"BurnedInAnnotation": ""}),
        ("fluoroscopy, not declared free of burned-in text", RF, {"Modality": "RF"}),
        ("colour image of a grayscale modality, not declared free of burned-in text", CT, {"SamplesPerPixel": "3"}),
    ],
)
def test_an_image_that_may_show_text_is_withheld(
    rule: str, sop_class: str, more: dict[str, str | tuple[str, ...]]
) -> None:
    attributes = {"Modality": "CT", "SOPClassUID": sop_class, "ImageType": ORIGINAL, "SamplesPerPixel": "1", **more}
    verdict = screen(Values(**attributes), BASIC)  # type: ignore[arg-type]
    assert (verdict.passed, verdict.rule) == (False, rule)
    cleaned = screen(Values(**attributes), RESEARCH)  # type: ignore[arg-type]
    assert cleaned.passed is (verdict.group == "graylist") is (cleaned.pixels is not None)


CONTENT = [
    *(("SR", f"88.{end}") for end in (11, 22, 33, 34, 35, 40, 50, 65, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77)),
    ("KO", "88.59"),
    *(("PR", f"11.{end}") for end in range(1, 13)),
    *(("ECG", f"9.1.{end}") for end in range(1, 5)),
    *(("HD", f"9.{end}") for end in ("2.1", "3.1", "5.1", "6.1", "6.2", "7.1", "7.2", "7.3", "7.4", "8.1")),
]
"""Modality and SOP class of what says something of images."""


@pytest.mark.parametrize(("modality", "end"), CONTENT)
def test_structured_content_passes_where_a_recipe_cleans_it(modality: str, end: str) -> None:
    header = Values(Modality=modality, SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{end}", SeriesDescription="Dose Report")
    passed = {name: screen(header, load_recipe(name)).passed for name in ("basic", "research", "limited-dataset")}
    assert passed == {"basic": False, "research": True, "limited-dataset": True}


def test_a_recipe_that_includes_screening_withholds_structured_content_as_before() -> None:
    recipe = parse_recipe("FORMAT dicom\nINCLUDE screening\nPROFILE Basic + Clean Structured Content")
    assert screen(read_header(bundled("reportsi.dcm")), recipe).rule == "not an image class that this recipe knows"


def test_an_image_without_an_image_type_is_withheld_where_its_class_asks_for_one() -> None:
    assert screen(Values(Modality="CT", SOPClassUID=CT), RESEARCH).rule == "image type missing"
    assert screen(Values(Modality="CR", SOPClassUID=CR), RESEARCH).passed


def test_text_hidden_in_the_bits_of_the_pixel_data_is_withheld() -> None:
    class Embedded(Values):
        def get(self, attribute: int, /) -> object | None:
            return ("15",) if attribute == 0x60000102 else super().get(attribute)

    header = Embedded(Modality="MR", SOPClassUID=MR, ImageType=ORIGINAL)
    assert screen(header, RESEARCH).rule == "overlay in the bits of the pixel data"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("CT_small.dcm", ""),
        ("MR_small_bigendian.dcm", ""),
        ("rtdose_1frame.dcm", ""),
        ("liver_1frame.dcm", ""),
        ("examples_overlay.dcm", ""),
        ("examples_palette.dcm", "ultrasound, not declared free of burned-in text"),
        ("SC_rgb_jpeg.dcm", "secondary capture, not declared free of burned-in text"),
        ("reportsi.dcm", "not an image class that this recipe knows"),
        ("waveform_ecg.dcm", "not an image class that this recipe knows"),
        ("priv_SQ.dcm", "no SOP class"),
    ],
)
def test_a_real_file_is_screened_by_its_header(name: str, rule: str) -> None:
    verdict = screen(read_header(bundled(name)), BASIC)
    assert (verdict.passed, verdict.rule) == (not rule, rule)


@pytest.mark.parametrize("name", ["reportsi.dcm", "waveform_ecg.dcm"])
def test_research_takes_reports_and_waveforms(name: str) -> None:
    assert screen(read_header(bundled(name)), RESEARCH).passed


def test_the_regions_of_a_real_ultrasound_image_are_found() -> None:
    recipe = parse_recipe(
        "FORMAT dicom\n%filter graylist\nLABEL x\ncoordinates all\nkeepcoordinates from:SequenceOfUltrasoundRegions\n"
    )
    assert screen(read_header(bundled("examples_palette.dcm")), recipe).coordinates == (
        Region(False, None),
        Region(True, (120, 60, 800, 518)),
        Region(True, (176, 522, 743, 576)),
    )


@pytest.mark.parametrize("criterion", ["contains", "notcontains"])
def test_the_file_meta_is_asked_too(criterion: str) -> None:
    rules = parse_recipe(f"FORMAT dicom\n%filter blacklist\nLABEL x\n{criterion} ImplementationVersionName gdcm\n")
    header = read_header(bundled("SC_rgb_jpeg_gdcm.dcm"))
    assert header.get(0x00020013) == ("GDCM 2.6.3",)
    assert screen(header, rules).passed is (criterion == "notcontains")
