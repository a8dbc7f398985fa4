"""ROIs, segments and beams: names that identified go, and yet no two items come to have one name, and none has none."""

from __future__ import annotations

import io

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

from sendit.deid import Deidentifier, Identifier, Pseudonyms, load_recipe
from sendit.deid.recipe.recipe import Recipe, parse_recipe

VARIABLES = {"entity_id": "E1", "item_id": "I1", "jitter": 5}
KNOWN = (Identifier("name", "Okonkwo"), Identifier("name", "Ngozi"), Identifier("staff", "Ferreira"))
EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
SEQUENCES = {
    "StructureSetROISequence": ("ROIName", "ROINumber", "ROI"),
    "SegmentSequence": ("SegmentLabel", "SegmentNumber", "SEGMENT"),
}


def named(
    names: list[str],
    keyword: str = "StructureSetROISequence",
    syntax: str = EXPLICIT,
    recipe: Recipe | None = None,
    delimited: bool = False,
) -> list[str]:
    """What items of these names are called afterwards."""
    name_keyword, number_keyword, _ = SEQUENCES[keyword]
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=bytes(128))
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.3"
    items = []
    for number, name in enumerate(names, 1):
        item = Dataset()
        setattr(item, number_keyword, number)
        setattr(item, name_keyword, name)
        items.append(item)
    setattr(ds, keyword, Sequence(items))
    if delimited:
        ds[keyword].is_undefined_length = True
        for item in items:
            item.is_undefined_length_sequence_item = True
    stream = io.BytesIO()
    ds._read_implicit, ds._read_little = syntax == IMPLICIT, syntax != BIG
    ds.save_as(stream, enforce_file_format=False)
    deidentifier = Deidentifier(recipe or load_recipe("research"), Pseudonyms(b"k" * 16), VARIABLES, KNOWN)
    out = dcmread(io.BytesIO(deidentifier.deidentify(stream.getvalue()).tobytes()))
    assert [getattr(item, number_keyword) for item in getattr(out, keyword)] == list(range(1, len(names) + 1))
    return [str(getattr(item, name_keyword)) for item in getattr(out, keyword)]


@pytest.mark.parametrize("delimited", [False, True])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("keyword", SEQUENCES)
def test_names_that_identified_are_told_apart_by_their_numbers(keyword: str, syntax: str, delimited: bool) -> None:
    kind = SEQUENCES[keyword][2]
    names = ["Okonkwo", "PTV", "PTV Okonkwo", "Ngozi", "PTV_Ferreira", "Heart"]
    assert named(names, keyword, syntax, delimited=delimited) == [
        f"{kind} 1",
        "PTV",
        "PTV 3",
        f"{kind} 4",
        "PTV 5",
        "Heart",
    ]


def test_a_name_that_is_the_only_one_needs_no_number() -> None:
    assert named(["GTV Okonkwo", "Lung_L"]) == ["GTV", "Lung_L"]


def test_a_name_is_compared_without_regard_to_case() -> None:
    assert named(["gtv", "GTV Okonkwo"]) == ["gtv", "GTV 2"]


def test_a_name_that_was_there_before_is_nobody_elses() -> None:
    assert named(["GTV 2", "GTV Okonkwo", "GTV"]) == ["GTV 2", "GTV 2-2", "GTV"]


def test_names_that_were_alike_may_stay_alike() -> None:
    assert named(["PTV", "PTV"]) == ["PTV", "PTV"]


def test_a_long_name_keeps_its_number() -> None:
    stem = "PTV " + "Lung_L " * 7
    first, second = named([f"{stem}Okonkwo", f"{stem}Ngozi"])
    assert (first, second) == (stem.strip(), f"{stem}2")


def test_a_name_in_another_script_is_not_cut_within_a_letter() -> None:
    stem = "肝臓" * 10
    first, second = named([f"{stem} Okonkwo", f"{stem} Ngozi"])
    assert (first, second) == (stem, "ROI 2")


def test_under_basic_where_all_names_go_each_has_its_own() -> None:
    assert named(["PTV", "Okonkwo", "Heart"], recipe=load_recipe("basic")) == ["ROI 1", "ROI 2", "ROI 3"]


def test_a_line_of_the_recipe_has_the_last_word() -> None:
    recipe = parse_recipe("FORMAT dicom\nPROFILE Basic + Clean Descriptors\n%header\nREPLACE ROIName roi")
    assert named(["PTV", "Okonkwo"], recipe=recipe) == ["roi", "roi"]


def test_every_image_of_a_study_is_named_by_itself() -> None:
    assert named(["GTV Ngozi"]) == named(["GTV Okonkwo"]) == ["GTV"]
