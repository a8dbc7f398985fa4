"""Mosaics: delivered with their geometry, or withheld by sendit's own rule."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from nibabel.nicom.dicomwrappers import wrapper_from_data
from pydicom import Dataset, dcmread

from sendit.deid import Deidentifier, Pseudonyms, Recipe, load_recipe
from sendit.deid.identifiers.identifiers import Identifier
from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.rewriting.geometry import RULE
from sendit.deid.rewriting.withheld import Withheld
from sendit.errors import DataFault
from tests.support.mosaics import ORIENTATIONS, Mosaic, decoded, encoded

VARIABLES = {"entity_id": "E1", "item_id": "I1", "jitter": 5}
IMPLICIT, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"


def deidentified(data: bytes, recipe: Recipe | str = "research", residuals: Sequence[Identifier] = ()) -> Dataset:
    loaded = load_recipe(recipe) if isinstance(recipe, str) else recipe
    made = Deidentifier(loaded, Pseudonyms(b"a key that tests have"), VARIABLES, residuals).deidentify(data)
    return dcmread(io.BytesIO(made.tobytes()))


def own(*lines: str) -> Recipe:
    return parse_recipe("\n".join(("FORMAT dicom", *lines)) + "\n")


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("orientation", sorted(ORIENTATIONS))
def test_nibabel_sees_the_same_volume(orientation: str, flipped: bool) -> None:
    mosaic = Mosaic(orientation, flipped, b_value=1000)
    before, after = (wrapper_from_data(ds) for ds in (mosaic.dataset(), deidentified(mosaic.tobytes())))
    assert type(after).__name__ == "MosaicWrapper"
    assert np.allclose(before.affine, after.affine) and np.allclose(after.slice_normal, mosaic.normal, atol=1e-6)
    assert np.array_equal(before.get_data(), after.get_data())
    assert np.allclose(before.b_matrix, after.b_matrix) and before.b_value == after.b_value


def test_a_csa1_header_keeps_its_places() -> None:
    mosaic = Mosaic("sagittal", flipped=True, version=1)
    after = decoded(deidentified(mosaic.tobytes())[0x00291010].value)
    assert after == decoded(mosaic.dataset()[0x00291010].value)


@pytest.mark.parametrize("syntax", [IMPLICIT, DEFLATED])
def test_it_is_so_in_other_transfer_syntaxes(syntax: str) -> None:
    mosaic = Mosaic("sagittal", syntax=syntax)
    assert np.allclose(
        wrapper_from_data(deidentified(mosaic.tobytes())).affine, wrapper_from_data(mosaic.dataset()).affine
    )
    with pytest.raises(Withheld):
        deidentified(mosaic.tobytes(), "basic")


def test_a_recipe_that_removes_private_elements_withholds_it_by_the_rule() -> None:
    for recipe in ("basic", own("%header", "REMOVE select:private:yes")):
        with pytest.raises(Withheld) as withheld:
            deidentified(Mosaic().tobytes(), recipe)
        assert withheld.value.rule == RULE == "sendit: geometry would be lost"
        assert isinstance(withheld.value, DataFault) and withheld.value.code == "GeometryLost"
        assert pickle.loads(pickle.dumps(withheld.value)).rule == RULE


def test_a_header_that_cannot_be_read_withholds_it() -> None:
    good = encoded(Mosaic().fields)
    for header in (good[:300], b"x" * 400, good[:8] + bytes(4) + good[12:]):
        with pytest.raises(Withheld):
            deidentified(Mosaic(image_header=header).tobytes())


def test_a_normal_that_is_no_number_withholds_it() -> None:
    fields = [field for field in Mosaic().fields if field[0] != "SliceNormalVector"]
    with pytest.raises(Withheld):
        deidentified(Mosaic(image_header=encoded([*fields, ("SliceNormalVector", 3, "FD", ["a", "b", "c"])])).tobytes())


def test_a_header_under_another_creator_withholds_it() -> None:
    ds = Mosaic().dataset()
    ds[0x00290010].value = "SOMEBODY ELSE"
    stream = io.BytesIO()
    ds.save_as(stream)
    with pytest.raises(Withheld):
        deidentified(stream.getvalue())


def grid() -> bytes:
    """A mosaic as United Imaging makes it: where each slice is, a private sequence says."""
    ds = Mosaic(image_type=["ORIGINAL", "PRIMARY", "VFRAME"]).dataset()
    ds.remove_private_tags()
    ds.Manufacturer, item = "UIH", Dataset()
    item.ImagePositionPatient, item.PatientName = [1.0, 2.0, 3.0], "Kowalczyk^Zofia"
    block = ds.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x50, "DS", "7")
    block.add_new(0x51, "SQ", [item])
    stream = io.BytesIO()
    ds.save_as(stream)
    return stream.getvalue()


def test_a_grid_of_united_imaging_is_a_mosaic() -> None:
    ds = deidentified(grid())
    (item,) = ds[0x00651051].value
    assert ds[0x00651050].value == 7 and item.ImagePositionPatient == [1, 2, 3] and item.PatientName == "E1"
    with pytest.raises(Withheld) as withheld:
        deidentified(grid(), "basic")
    assert withheld.value.tag == 0x00651050


def test_the_recipes_own_word_has_the_last_word() -> None:
    recipe = own(
        "PROFILE Basic + Retain Safe Private",
        "%header",
        'REMOVE (0029,"SIEMENS CSA HEADER",10)',
    )
    ds = deidentified(Mosaic().tobytes(), recipe)
    assert 0x00291010 not in ds and 0x0019100A in ds
    kept = own(
        "%header",
        "REMOVE select:private:yes",
        'KEEP (0029,"SIEMENS CSA HEADER",10)',
        'KEEP (0019,"SIEMENS MR HEADER",0A)',
    )
    assert deidentified(Mosaic().tobytes(), kept)[0x00291010].value == Mosaic().dataset()[0x00291010].value


@pytest.mark.parametrize("image_type", [["ORIGINAL", "PRIMARY", "M", "ND"], ["DERIVED", "SECONDARY"]])
def test_an_image_that_is_no_mosaic_goes_on(image_type: list[str]) -> None:
    ds = deidentified(Mosaic(image_type=image_type).tobytes(), "basic")
    assert not [element for element in ds if element.tag.is_private]


def test_a_mosaic_that_came_without_private_elements_loses_nothing() -> None:
    ds = Mosaic().dataset()
    ds.remove_private_tags()
    stream = io.BytesIO()
    ds.save_as(stream)
    for recipe in ("basic", "research"):
        assert deidentified(stream.getvalue(), recipe).ImageType[-1] == "MOSAIC"


def test_nothing_of_the_patient_is_left_in_the_new_headers() -> None:
    planted: list[Any] = [
        ("ImageComments", 1, "LT", ["Kowalczyk^Zofia"]),
        ("ICE_Dims", 1, "LO", ["Kowalczyk"]),
        ("ImaCoilString", 1, "LO", ["MRN77012"]),
    ]
    settings = {"tPatientName": '""Kowalczyk""', "sWiPMemBlock__tFree": '""19630417""', "alTD[0]": "19630417"}
    mosaic = Mosaic(more=planted, settings=settings, rubbish=b"Kowalczyk^Zofia 19630417 MRN77012 ")
    residuals = [Identifier("name", "Kowalczyk"), Identifier("id", "MRN77012"), Identifier("date", "19630417")]
    ds = deidentified(mosaic.tobytes(), residuals=residuals)
    for tag in (0x00291010, 0x00291020):
        held = bytes(ds[tag].value)
        assert held and not [word for word in (b"owalczyk", b"Zofia", b"19630417", b"77012", b"weight") if word in held]
    assert b"\t560" in ds[0x00291020].value


def test_numbers_with_the_patients_own_among_them_are_emptied() -> None:
    mosaic = Mosaic(settings={"sWiPMemBlock__alFree[3]": 7701234})
    after = deidentified(mosaic.tobytes(), residuals=[Identifier("id", "7701234")])
    assert not after[0x00291020].value and after[0x00291010].value


def test_a_number_of_few_digits_that_is_there_by_chance_withholds_nothing() -> None:
    residuals = [Identifier("id", "1043"), Identifier("name", "Fast")]
    mosaic = Mosaic(settings={"sWiPMemBlock__alFree[3]": 1043}, more=[("ReadoutOS", 1, "FD", ["1043"])])
    assert b"1043" in deidentified(mosaic.tobytes(), residuals=residuals)[0x00291020].value
    whole = own("%header", 'KEEP (0029,"SIEMENS CSA HEADER",20)', 'KEEP (0029,"SIEMENS CSA HEADER",10)')
    after = deidentified(mosaic.tobytes(), whole, residuals)
    assert not after[0x00291020].value


def test_each_image_of_a_series_keeps_its_own_header() -> None:
    """The engine remembers what the images of a series share; a volume's gradient is its own."""
    deidentifier = Deidentifier(load_recipe("research"), Pseudonyms(b"a key that tests have"), VARIABLES)
    for volume in range(1, 60):
        mosaic = Mosaic(volume=volume, b_value=1000 * (volume % 3), flipped=volume % 5 == 0)
        after = wrapper_from_data(dcmread(io.BytesIO(deidentifier.deidentify(mosaic.tobytes()).tobytes())))
        assert after.b_value == wrapper_from_data(mosaic.dataset()).b_value
        assert np.allclose(after.slice_normal, mosaic.normal, atol=1e-6)
