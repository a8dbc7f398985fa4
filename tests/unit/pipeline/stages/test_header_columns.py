"""What a header's attributes become in the warehouse's columns."""

from __future__ import annotations

import pytest

from sendit.deid.description import ATTRIBUTES
from sendit.pipeline.stages.header_columns import header_columns, orientation
from sendit.ports import HEADER_COLUMNS


def test_the_core_describes_the_attributes_that_the_table_has() -> None:
    assert list(ATTRIBUTES) == [column.name for column in HEADER_COLUMNS]


def test_values_have_their_columns_types() -> None:
    attributes = {
        "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"),
        "SliceThickness": ("0.6666667",),
        "KVP": (120.0,),
        "BitsStored": (12,),
        "AcquisitionNumber": ("7",),
        "SeriesDate": ("20100209",),
        "ImageOrientationPatient": ("1", "0", "0", "0", "1", "0"),
    }
    assert header_columns(attributes) == {
        "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
        "SliceThickness": 0.6666667,
        "KVP": 120.0,
        "BitsStored": 12,
        "AcquisitionNumber": 7,
        "SeriesDate": "2010-02-09",
        "ImageOrientationPatient": "1\\0\\0\\0\\1\\0",
        "orientation": "axial",
    }


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"SliceThickness": ("thin",)},
        {"SliceThickness": ("1e999",)},
        {"AcquisitionNumber": ("1.5",)},
        {"SeriesDate": ("2010",)},
        {"BodyPartExamined": ("",)},
    ],
)
def test_a_value_that_is_none_fills_no_column(attributes: dict[str, tuple[object, ...]]) -> None:
    assert header_columns(attributes) == {}


@pytest.mark.parametrize(
    ("cosines", "plane"),
    [
        ("1 0 0 0 1 0", "axial"),
        ("-1 0 0 0 -1 0", "axial"),
        ("1 0 0 0 0 -1", "coronal"),
        ("0 1 0 0 0 -1", "sagittal"),
        ("1 0 0 0 0.9 0.436", "axial"),
        ("1 0 0 0 0.8 0.6", "oblique"),
        ("0.577 0.577 0.577 0 0.707 -0.707", "oblique"),
        ("0 0 0 0 0 0", None),
        ("1 0 0 0 1", None),
        ("1 0 0 0 1 x", None),
        ("nan 0 0 0 1 0", None),
    ],
)
def test_the_plane_of_an_image(cosines: str, plane: str | None) -> None:
    assert orientation(tuple(cosines.split())) == plane
