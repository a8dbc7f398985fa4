"""The catalogue of devices is read without being executed, and each of its regions stands in the recipe."""

from __future__ import annotations

import pytest

from sendit.deid.recipe.recipe import load_recipe, parse_recipe
from sendit.deid.recipe.screen import screen
from standard.device_regions import recipe
from tests.unit.deid.recipe.test_screen import Values

CATALOGUE = """
_US = "1.2.840.10008.5.1.4.1.1.6"
_devices: list = [
    device("Acme A/1", "allow", manufacturer="=Acme Inc.", modality=["^CR", "^DX"], burned_in_annotation="/^(?!YES$)/",
        variants=[
            variant(rows=512, cols=600, scrub=[(0, 1, 20, 30), (5, 5, 5, 5)]),
            variant(rows=64, cols=64),
            variant(sop_class_uid=f"^{_US}", image_type_exclude="DOSE", scrub=[(7, 7, 7, 7)]),
        ],
    ),
    device("allowed as it is", "allow", variants=[variant(rows=r) for r in [1, 2]]),
    device("old", "scrub", software_versions="=", manufacturer_model_name="/(?i)^x|y$/", scrub=[(0, 0, 9, 9)]),
]
"""


def named(**attributes: str) -> tuple[str, ...]:
    text = "FORMAT dicom\nPROFILE Basic + Clean Pixel Data\n" + recipe(CATALOGUE, "1.0").removeprefix("FORMAT dicom")
    found = screen(Values(**attributes), parse_recipe(text)).pixels
    return found.named if found else ()


@pytest.mark.parametrize(
    ("attributes", "labels"),
    [
        ({"Manufacturer": "ACME INC.", "Modality": "DX", "Rows": "512", "Columns": "600"}, ("device Acme A/1 (1)",)),
        ({"Manufacturer": "Acme Inc.,", "Modality": "DX", "Rows": "512", "Columns": "600"}, ()),
        ({"Manufacturer": "Acme Inc.", "Modality": "US", "Rows": "512", "Columns": "600"}, ()),
        ({"Manufacturer": "Acme Inc.", "Modality": "CR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"},
         ("device Acme A/1 (2)",)),
        ({"Manufacturer": "Acme Inc.", "Modality": "CR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1",
          "ImageType": "DOSE"}, ()),
        ({"ManufacturerModelName": "Y"}, ("device old",)),
        ({"ManufacturerModelName": "Y", "SoftwareVersions": "1"}, ()),
    ],
)  # fmt: skip
def test_a_device_is_told_as_in_the_catalogue(attributes: dict[str, str], labels: tuple[str, ...]) -> None:
    assert named(**attributes) == labels


def test_the_shipped_recipe_names_devices_only_by_something_of_theirs() -> None:
    (rules,) = load_recipe("devices").filters
    assert len(rules.labels) > 150 and rules.is_graylist
    assert all(label.checks and label.regions and label.text.startswith("device ") for label in rules.labels)
    assert len({label.text for label in rules.labels}) == len(rules.labels)


def test_the_default_recipe_blanks_where_a_known_device_writes() -> None:
    known = Values(
        Manufacturer="KONICA MINOLTA", Modality="CR", ManufacturerModelName="0402", SoftwareVersions="2.1", Rows="2010",
        Columns="2446", SOPClassUID="1.2.840.10008.5.1.4.1.1.1", ImageType=("ORIGINAL", "PRIMARY"),
    )  # fmt: skip
    task = screen(known, load_recipe("research")).pixels
    assert task is not None and task.rule == "X-ray projection"
    assert task.named == ("device KONICA 0402 CR (2)",) and [one.box for one in task.regions] == [(0, 0, 2446, 115)]


@pytest.mark.parametrize(("kind", "is_known"), [("2", False), ("4", False), ("1.1", False), ("7", True), ("7.4", True)])
def test_an_entry_that_names_no_kind_of_image_is_of_screen_captures_alone(kind: str, is_known: bool) -> None:
    image = Values(
        Manufacturer="GE MEDICAL SYSTEMS", Modality="OT", Rows="1024", Columns="1024", BurnedInAnnotation="NO",
        SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{kind}", ImageType=("ORIGINAL", "PRIMARY"),
    )  # fmt: skip
    task = screen(image, load_recipe("research")).pixels
    assert ("device GE 1024 Screen Capture" in (task.named if task else ())) is is_known
