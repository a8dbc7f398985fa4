"""%values lists: the terms that an image's own values make."""

from __future__ import annotations

import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from sendit.deid.recipe.recipe import parse_recipe
from sendit.errors import DataFault


def terms(*lines: str, dataset: Dataset | None = None) -> set[str]:
    """The terms of a list of these lines, in a dataset of a name, ids, a number, a sequence and a private element."""
    recipe = parse_recipe("\n".join(["FORMAT dicom", "%values v", *lines]))
    return set(recipe.extract_values(_image() if dataset is None else dataset)["v"])


def _image() -> Dataset:
    item = Dataset()
    item.PatientID = "NESTED-7"
    ds = Dataset()
    ds.PatientName = "Doe^Jane Mary^X"
    ds.PatientID = "4711"
    ds.OtherPatientNames = ["Roe^J", "Poe^E"]
    ds.PatientSex = ""
    ds.Rows = 512
    ds.OtherPatientIDsSequence = Sequence([item])
    block = ds.private_block(0x0033, "MITRA 1.0", create=True)
    block.add_new(0x1E, "LO", "PRIVATE-9")
    ds.PixelData = b"\0\0"
    return ds


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["FIELD PatientID"], {"4711", "NESTED-7"}),
        (["FIELD OtherPatientIDsSequence__PatientID"], {"NESTED-7"}),
        (["FIELD PatientName"], {"Doe^Jane Mary^X"}),
        (["FIELD OtherPatientNames"], {"Roe^J", "Poe^E"}),
        (["FIELD Rows"], {"512"}),
        (["FIELD PatientSex"], set()),
        (["FIELD StudyDate"], set()),
        (['FIELD (0033,"MITRA 1.0",1E)'], {"PRIVATE-9"}),
        (["SPLIT PatientName"], {"Doe^Jane", "Mary^X"}),
        (["SPLIT PatientName by=^"], {"Doe", "Jane Mary", "X"}),
        (["SPLIT PatientName by=^;minlength=3"], {"Doe", "Jane Mary"}),
        (["SPLIT OtherPatientNames by=^;minlength=2"], {"Roe", "Poe"}),
        (["SPLIT PatientSex"], set()),
        (["FIELD PatientID", "SPLIT PatientName by=^"], {"4711", "NESTED-7", "Doe", "Jane Mary", "X"}),
    ],
)
def test_the_terms_of_a_list(lines: list[str], expected: set[str]) -> None:
    assert terms(*lines) == expected


def test_pixel_data_makes_no_term() -> None:
    assert "512" in terms("FIELD select:group:0028", "FIELD ALL")
    assert not any("\0" in term for term in terms("FIELD ALL"))


def test_a_kept_element_feeds_a_list_too() -> None:
    recipe = parse_recipe("FORMAT dicom\n%values v\nFIELD PatientID\n%header\nKEEP PatientID\nREMOVE values:v\n")
    assert "4711" in recipe.extract_values(_image())["v"]


def test_a_value_that_cannot_be_read_is_a_fault_of_the_file() -> None:
    ds = Dataset()
    ds[0x00280010] = RawDataElement(Tag(0x00280010), "US", 3, b"abc", 0, False, True)
    with pytest.raises(DataFault) as caught:
        terms("FIELD Rows", dataset=ds)
    assert (caught.value.code, caught.value.tag) == ("BadElement", 0x00280010)
    assert "abc" not in str(caught.value)


def test_a_strange_value_is_read_in_silence(recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture) -> None:
    ds = Dataset()
    ds[0x00080020] = RawDataElement(Tag(0x00080020), "DA", 11, b"born 1930-1", 0, False, True)
    assert terms("FIELD StudyDate", dataset=ds) == {"born 1930-1"}
    assert not list(recwarn)
    assert not caplog.records
