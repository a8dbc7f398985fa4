"""What import learns of a study: headers that are alike are judged once, and nothing is missed by that."""

from __future__ import annotations

import io

import pydicom
import pytest
from pydicom.data import get_testdata_file

from sendit.deid.identifiers.identifiers import DESCRIPTIONS
from sendit.deid.recipe.recipe import load_recipe
from sendit.deid.recipe.screen import Screen
from sendit.deid.stream.part_ten import open_part_ten
from sendit.pipeline.stages.facts import Facts
from sendit.pipeline.stages.importing import Reader
from sendit.projects.project import IdentityNames


def judged(reader: Reader, number: int, **attributes: str) -> Facts:
    ds = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    ds.SOPInstanceUID = f"1.2.{number}"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    written = io.BytesIO()
    ds.save_as(written)
    part_ten = open_part_ten(written.getvalue())
    return reader.judge(number, reader.of(part_ten), part_ten)


@pytest.fixture
def reader() -> Reader:
    return reader_for("research")


def reader_for(recipe: str) -> Reader:
    return Reader(Screen(load_recipe(recipe)), IdentityNames("S", "PatientID", "MRN", "AccessionNumber", "ACC"))


TEXTS = [tag for tag in DESCRIPTIONS if pydicom.datadict.dictionary_VR(tag) != "SQ"]


@pytest.mark.parametrize("tag", TEXTS, ids=lambda tag: pydicom.datadict.keyword_for_tag(tag))
def test_a_name_that_a_description_of_one_image_announces_is_known_for_the_study(reader: Reader, tag: int) -> None:
    judged(reader, 1)
    judged(reader, 2, **{pydicom.datadict.keyword_for_tag(tag): "seen by Dr. Zqcan"})
    assert "Zqcan" in {one.text for one in reader.identifiers.all() if one.kind == "announced"}


def test_images_of_a_series_are_told_apart_though_all_else_is_judged_once(reader: Reader) -> None:
    first, second = judged(reader, 1), judged(reader, 2)
    assert (first.sop_instance_uid, second.sop_instance_uid) == ("1.2.1", "1.2.2")
    assert first.series is second.series


def test_an_image_that_a_filter_speaks_of_is_withheld_among_others_that_are_alike() -> None:
    reader = reader_for("basic")
    burned = {"BurnedInAnnotation": "YES"}
    found = [judged(reader, number, **others).passed for number, others in enumerate([{}, burned, {}, burned])]
    assert found == [True, False, True, False]
