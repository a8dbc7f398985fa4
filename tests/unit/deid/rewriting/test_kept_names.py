"""Texts and terms that a profile keeps as they are: none has the patient, the staff or the institution in it."""

from __future__ import annotations

import io

import pytest
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset

from sendit.deid import deidentify
from sendit.deid.recipe.recipe import Recipe, load_recipe, parse_recipe
from tests.support.streams import KEY, VARIABLES

RESEARCH = load_recipe("research")
INSTITUTIONS = parse_recipe("FORMAT dicom\nPROFILE Basic + Clean Descriptors + Retain Institution Identity\n")
TEXTS = (
    "SequenceName", "PulseSequenceName", "ReceiveCoilName", "TransmitCoilName", "ConvolutionKernel", "FilterType",
    "BeamName", "SoftwareVersions", "AcquisitionDeviceProcessingDescription",
)  # fmt: skip
TERMS = ("ScanOptions", "FilterMaterial", "SequenceVariant", "ViewPosition", "ImageType", "CollimatorType", "Units")
PATIENT = ("Paloma", "PALOMA", "jpaloma", "palomaj", "CTPaloma", "x_paloma_1")


def image(**values: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.4", "1.2.5"
    ds.PatientName, ds.PatientID, ds.OperatorsName = "Paloma^Jane", "MRN-4711", "Zwingli^Ueli"
    ds.InstitutionName = "Zorblatt Clinic"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def after(ds: Dataset, recipe: Recipe = RESEARCH) -> Dataset:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    out = deidentify(stream.getvalue(), recipe=recipe, key=KEY, variables=VARIABLES)
    return dcmread(io.BytesIO(out.tobytes()))


def left(keyword: str, text: str, recipe: Recipe = RESEARCH) -> str:
    value = after(image(**{keyword: text}), recipe).get(keyword)
    return str(value or "").upper()


@pytest.mark.parametrize("keyword", TEXTS)
def test_a_text_that_is_kept_has_nobodys_name_and_no_place(keyword: str) -> None:
    planted = (*PATIENT, "Zwingli", "uzwingli", "Zorblatt", "Zorblatt Clinic", "MRN4711", "Dr. House")
    found = {text: left(keyword, text[:16]) for text in planted}
    secrets = ("PALOMA", "ZWINGLI", "ZORBLATT", "4711", "HOUSE")
    assert {text: rest for text, rest in found.items() if any(secret in rest for secret in secrets)} == {}


@pytest.mark.parametrize("keyword", TERMS)
def test_a_term_that_is_kept_is_no_name_and_no_number(keyword: str) -> None:
    assert dictionary_VR(keyword) == "CS"
    planted = ("PALOMA", "JPALOMA", "CTPALOMA", "A PALOMA", "ZWINGLI", "ZORBLATT", "MRN4711")
    found = {text: left(keyword, text) for text in planted}
    assert {
        text: rest for text, rest in found.items() if any(one in rest for one in ("PALOMA", "ZW", "ZO", "47"))
    } == {}


@pytest.mark.parametrize(
    ("keyword", "value"), [("CodeMeaning", "CT head Zorblatt"), ("CodingSchemeDesignator", "99ZORBLATT")]
)
def test_a_local_code_does_not_say_where_it_is_used(keyword: str, value: str) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "X12", "99LOCAL", "CT head"
    setattr(code, keyword, value)
    ds = image()
    ds.ProcedureCodeSequence = [code]
    assert "ZORBLATT" not in str(after(ds)).upper()


def test_an_institution_that_is_retained_stays_in_the_texts_that_are_kept() -> None:
    assert left("ConvolutionKernel", "Zorblatt", INSTITUTIONS) == "ZORBLATT"


@pytest.mark.parametrize("keyword", ["Manufacturer", "ManufacturerModelName"])
def test_a_maker_may_be_called_as_the_institution_is(keyword: str) -> None:
    assert left(keyword, "Zorblatt") == "ZORBLATT"


@pytest.mark.parametrize(
    "text", ["B31f", "tfl3d1_16ns", "HEA;HEP", "Butterworth", "OSEM3D 2i21s", "SENSE-Head-8", "VB17A"]
)
@pytest.mark.parametrize("keyword", ["SequenceName", "ConvolutionKernel", "ReceiveCoilName"])
def test_what_devices_write_stays(keyword: str, text: str) -> None:
    assert left(keyword, text) == text.upper()
