"""What each output says was done to it is what was done: (0012,0062-0064), (0028,0301), (0028,0303)."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from pydicom import Dataset
from pydicom.sr.codedict import codes

from sendit.deid import Deidentifier, Pseudonyms, load_recipe
from tests.corpus.gateway import KEY, without_filters
from tests.corpus.modalities import made
from tests.support.streams import read

SHIPPED = ("basic", "research", "limited-dataset")
MODALITIES = ("CT", "MR big", "US", "PT", "MG", "SR", "RT plan", "SEG", "PR", "KO", "SC")
LISTED = {code.value: code.meaning for code in codes.cid7050.concepts.values()}
PROFILE, GRAPHICS, CONTENT, DESCRIPTORS, FULL, MODIFIED, CHARACTERISTICS, DEVICE, UIDS, PRIVATE, INSTITUTION = (
    "113100", "113103", "113104", "113105", "113106", "113107", "113108", "113109", "113110", "113111", "113112",
)  # fmt: skip


def output_of(ds: Dataset, recipe: str) -> Dataset:
    ds.save_as(stream := io.BytesIO(), enforce_file_format=True)
    variables = {"entity_id": "e", "item_id": "i", "jitter": 11}
    deid = Deidentifier(without_filters(recipe), Pseudonyms(KEY), variables)
    return read(deid.deidentify(stream.getvalue()).tobytes())


def phantom(modality: str) -> Dataset:
    """A dataset that has something of all that a code speaks of."""
    ds = made(modality)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.5.1"
    ds.StudyInstanceUID, ds.StudyDate, ds.StudyDescription = "1.2.826.0.1.5", "20160304", "CT chest"
    ds.PatientWeight, ds.DeviceSerialNumber, ds.InstitutionName = "61", "SN-1", "Larkspur"
    return ds


def codes_of(ds: Dataset) -> list[str]:
    said = [(c.CodeValue, c.CodingSchemeDesignator, c.CodeMeaning) for c in ds.DeidentificationMethodCodeSequence]
    assert [(value, "DCM", LISTED[value]) for value, _, _ in said] == said
    return [value for value, _, _ in said]


@pytest.mark.parametrize("recipe", SHIPPED)
@pytest.mark.parametrize("modality", MODALITIES)
def test_a_code_is_there_where_what_it_says_was_done(modality: str, recipe: str) -> None:
    before, after = phantom(modality), output_of(phantom(modality), recipe)
    said = codes_of(after)
    assert after.PatientIdentityRemoved == "YES"
    assert (said[0], len(said)) == (PROFILE, len(set(said)))
    assert (FULL in said) is (after.get("StudyDate") == before.StudyDate)
    assert (MODIFIED in said) is (after.get("StudyDate") == "20160315")
    assert (CHARACTERISTICS in said) is (after.get("PatientWeight") == before.PatientWeight)
    assert (DEVICE in said) is (after.get("DeviceSerialNumber") == before.DeviceSerialNumber)
    assert (INSTITUTION in said) is (after.get("InstitutionName") == before.InstitutionName)
    assert (UIDS in said) is (after.StudyInstanceUID == before.StudyInstanceUID)
    assert (DESCRIPTORS in said) is (after.get("StudyDescription") == before.StudyDescription)
    assert {GRAPHICS, CONTENT} & set(said) == (set() if recipe == "basic" else {GRAPHICS, CONTENT})
    assert not {"113101", "113102"} & set(said), "pixels and faces are as they were"


@pytest.mark.parametrize("recipe", SHIPPED)
def test_the_method_in_words_names_the_same_options(recipe: str) -> None:
    after = output_of(phantom("CT"), recipe)
    first, *others = after.DeidentificationMethod
    assert first.startswith("sendit")
    assert others == [LISTED[value] for value in codes_of(after)]


@pytest.mark.parametrize("recipe", SHIPPED)
@pytest.mark.parametrize("burned", ["YES", "NO", None])
def test_burned_in_annotation_is_what_it_was(recipe: str, burned: str | None) -> None:
    """No pixel is changed, so nothing is known of them that was not known before."""
    ds = phantom("CT")
    ds.pop("BurnedInAnnotation", None)
    if burned:
        ds.BurnedInAnnotation = burned
    assert output_of(ds, recipe).get("BurnedInAnnotation") == burned


@pytest.mark.parametrize(
    ("recipe", "before", "after"),
    [
        ("basic", None, "REMOVED"), ("basic", "MODIFIED", "REMOVED"), ("basic", "UNMODIFIED", "REMOVED"),
        ("research", None, "MODIFIED"), ("research", "UNMODIFIED", "MODIFIED"), ("research", "MODIFIED", "MODIFIED"),
        ("limited-dataset", None, "UNMODIFIED"), ("limited-dataset", "UNMODIFIED", "UNMODIFIED"),
    ],
)  # fmt: skip
def test_what_became_of_dates_is_said_whatever_was_said_before(recipe: str, before: str | None, after: str) -> None:
    ds = phantom("CT")
    if before:
        ds.LongitudinalTemporalInformationModified = before
    assert output_of(ds, recipe).LongitudinalTemporalInformationModified == after


def test_the_shipped_recipes_differ_in_what_they_claim() -> None:
    claims: Iterable[list[str]] = (codes_of(output_of(phantom("CT"), recipe)) for recipe in SHIPPED)
    assert [str(load_recipe(recipe).profile) for recipe in SHIPPED] != []
    assert len({tuple(claim) for claim in claims}) == len(SHIPPED)
