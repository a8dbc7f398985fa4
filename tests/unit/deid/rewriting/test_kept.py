"""What a profile keeps must speak of nobody: terms, models, versions. What they say of a device stays."""

from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from sendit.deid import Deidentifier, Identifier, Pseudonyms
from sendit.deid.identifiers.descriptors import Cleaner
from sendit.deid.recipe.recipe import Recipe, load_recipe, parse_recipe
from sendit.deid.standard.enumerated_values import enumerated_values
from tests.support.streams import BIG, EXPLICIT, IMPLICIT, KEY, VARIABLES, Syntax, even, part10, read

CT = "1.2.840.10008.5.1.4.1.1.2"
KNOWN = (Identifier("name", "Zabinski"), Identifier("id", "4711-08"), Identifier("date", "19330707"))
ALL_RETAINED = "PROFILE Basic + Retain Longitudinal Temporal Information with Modified Dates + Retain Device Identity"
RECIPES = {
    "research": load_recipe("research"),
    "basic": load_recipe("basic"),
    "limited-dataset": load_recipe("limited-dataset"),
    "devices": parse_recipe(f"FORMAT dicom\n{ALL_RETAINED} + Retain Patient Characteristics\n"),
}


def left(keyword: str, text: str, recipe: Recipe | str = "research", syntax: Syntax = EXPLICIT) -> str | None:
    """What is left of a value, as text with backslashes; None where the element is gone."""
    tag = tag_for_keyword(keyword) or 0
    content = syntax.element(0x00080016, "UI", even(CT.encode(), b"\0"))
    content += syntax.element(tag, dictionary_VR(tag), even(text.encode("latin-1")))
    meta = EXPLICIT.element(0x00020002, "UI", even(CT.encode(), b"\0"))
    chosen = RECIPES[recipe] if isinstance(recipe, str) else recipe
    one = Deidentifier(chosen, Pseudonyms(KEY), VARIABLES, KNOWN)
    after = read(one.deidentify(part10(content, syntax, more=meta)).tobytes())
    return bytes(after.get_item(tag).value or b"").decode("latin-1").strip() if tag in after else None


# ------------------------------------------------------------------------------------------------- closed lists


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG], ids=lambda syntax: syntax.uid)
@pytest.mark.parametrize(
    ("sex", "expected"),
    [("M", "M"), ("F ", "F"), ("O", "O"), ("m", "M"), ("female", "F"), ("MALE", "M"), ("", ""),
     ("X", ""), ("a@clinic.example", ""), ("MARY", ""), ("SMITH", ""), ("M SMITH", ""), ("20110617", ""), ("U", "")],
)  # fmt: skip
def test_of_a_closed_list_only_its_values_stay(sex: str, expected: str, syntax: Syntax) -> None:
    assert left("PatientSex", sex, syntax=syntax) == expected


def test_each_closed_list_is_of_an_attribute_of_code_strings() -> None:
    assert len(enumerated_values()) > 20
    for tag, values in enumerated_values().items():
        assert dictionary_VR(tag) == "CS" and values
        assert all(value == value.upper() and len(value) <= 16 for value in values)


def test_a_line_of_the_recipes_own_that_keeps_an_attribute_answers_for_its_words() -> None:
    own = parse_recipe("FORMAT dicom\nINCLUDE research\n%header\nKEEP PatientSex\nKEEP BodyPartExamined\n")
    assert left("PatientSex", "SMITH", own) == "SMITH"
    assert left("PatientSex", "a@clinic.example", own) == ""


# ------------------------------------------------------------------------------------------------- terms


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(
    "term", ["JOHN SMITH 5551234", "KOWALCZYK 5551234", "ZYSKOWSKI", "MARY", "HEAD 20110617", "Kowalczyk", "ZABINSKI"]
)
def test_a_body_part_names_nobody(term: str, recipe: str) -> None:
    assert not left("BodyPartExamined", term, recipe)


@pytest.mark.parametrize("part", ["BRAIN", "Brain", "t1", "LSPINE", "T-SPINE", "ABDOMENPELVIS", "LUMBOSACRAL SPINE",
                                  "SSPINE", "Knie", "HEAD & NECK", "C_SPINE"])  # fmt: skip
def test_a_body_part_stays(part: str) -> None:
    assert left("BodyPartExamined", part) == part


def test_of_several_terms_the_one_that_names_somebody_goes() -> None:
    assert left("ImageType", "ORIGINAL\\PRIMARY\\JOHN SMITH\\M_FFE") == "ORIGINAL\\PRIMARY\\\\M_FFE"
    assert left("ImageType", "DERIVED\\PRIMARY\\ZABINSKI\\20110617") == "DERIVED\\PRIMARY\\\\"
    vendor = "ORIGINAL\\PRIMARY\\M\\ND\\NORM\\MOSAIC\\TRACEW\\DIS2D\\MFSPLIT\\Derived"
    assert left("ImageType", vendor) == vendor


@pytest.mark.parametrize("relationship", ["LIN", "LOG", "DISP"])
def test_a_term_that_is_also_a_short_name_stays(relationship: str) -> None:
    assert left("PixelIntensityRelationship", relationship) == relationship
    assert not left("PixelIntensityRelationship", "JOHN LIN")


def test_an_ordinary_word_is_no_name_of_the_patient_among_terms() -> None:
    one = Deidentifier(RECIPES["research"], Pseudonyms(KEY), VARIABLES, [Identifier("name", "Head")])
    content = EXPLICIT.element(0x00080008, "CS", b"ORIGINAL\\PRIMARY\\HEAD ")
    assert b"PRIMARY\\HEAD" in one.deidentify(part10(content)).tobytes()


# ------------------------------------------------------------------------------------------------- devices

DEVICES = """
SOMATOM Definition Flash|Ingenia|syngo MR E11|Signa HDxt 15.0_M4_0910.a|VB17A|4.5.20110617|SIEMENS|Siemens Healthineers
Philips Medical Systems|GE MEDICAL SYSTEMS|Hologic, Inc.|Agfa-Gevaert|FUJI PHOTO FILM Co., Ltd.|Carestream Health
KONICA MINOLTA|TOSHIBA_MEC|Lorad, A Hologic Company|R2 Technology, Inc.|Picker International, Inc.|Achieva dStream
Bruker BioSpin MRI GmbH|Carl Zeiss Meditec|Fischer Imaging|Biograph40_mCT|MAGNETOM Prisma_fit|Discovery CT750 HD
LightSpeed VCT|Senograph 2000D ADS_43.10.1|EPIQ 7G|uMR 790|DirectView CR 975|syngo CT VA48A_02_P12|2.6.3.7|R5.3.0 SP1
27\\LX\\MR Software release:DV25.0_R02_1549.b|12HW28.5_AUX|MX_MR_AL3.0|10.11.12|V6.00.2.1.B1|dcm2niix v1.0.20190902
https://github.com/fedorov/dcmqi.git
Shepp-Logan|Butterworth|B70s|HEA;HEP|*tfl3d1_16ns|SENSE-Head-8|measured,, 0.096000 cm-1,|Leonardo|000000000012345
"""


@pytest.mark.parametrize("text", DEVICES.replace("\n", "|").strip("|").split("|"))
def test_what_says_which_device_it_was_stays(text: str) -> None:
    for keyword in ("ManufacturerModelName", "SoftwareVersions", "ConvolutionKernel"):
        assert left(keyword, text) == text


@pytest.mark.parametrize("keyword", ["ManufacturerModelName", "Manufacturer", "SoftwareVersions", "DeviceSerialNumber"])
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(
    "text",
    [
        "scanned by A. Kowalczyk 17 June 2011", "Ingenia, scanned by Kowalczyk", "Dr. Kowalczyk", "JOHN SMITH",
        "Zabinski", "service@clinic.example", "call 555-555-1234", "installed 2011-06-17", "17.06.2011", "20110617",
        "06/17/2011", "Patient: Kowalczyk", "last service June 17, 2011", "operator: Kowalczyk", "MRN 4711-08",
    ],
)  # fmt: skip
def test_a_text_of_a_device_speaks_of_nobody(text: str, keyword: str, recipe: str) -> None:
    after = left(keyword, text, recipe) or ""
    for planted in ("Zabinski", "Kowalczyk", "SMITH", "555-1234", "clinic.example", "4711"):
        assert planted not in after
    if recipe != "limited-dataset":  # which keeps dates
        for day in ("17 June 2011", "2011-06-17", "17.06.2011", "20110617", "06/17/2011", "June 17, 2011"):
            assert day not in after


def test_a_date_goes_and_the_rest_stays() -> None:
    """It is not shifted: it is the device's, the same for all patients, and would tell how their shifts differ."""
    assert left("ManufacturerModelName", "453561454581 2009/11/11-07:41") == "453561454581 07:41"
    assert left("SoftwareVersions", "VB17 2009/11/11") == "VB17"
    assert left("SoftwareVersions", "453561454581__[2009/11/11]-07:41") == "453561454581__[2009/11/11]-07:41"
    assert left("SoftwareVersions", "VB17_17-JUN-2011_") == "VB17"
    assert left("ManufacturerModelName", "Ingenia 17-JUN-2011") == "Ingenia"
    assert left("ManufacturerModelName", "Ingenia 17-JUN-2011", "basic") == "Ingenia"


def test_a_code_is_no_text() -> None:
    """Codes look like the numbers of records, and the versions of coding schemes like dates."""
    item = {"CodeValue": "69536005", "CodingSchemeDesignator": "SCT", "CodingSchemeVersion": "20110617"}
    elements = [EXPLICIT.element(tag_for_keyword(k) or 0, "SH", even(v.encode())) for k, v in item.items()]
    content = EXPLICIT.sequence(0x00082218, [b"".join(elements)])
    after = read(
        Deidentifier(RECIPES["research"], Pseudonyms(KEY), VARIABLES, KNOWN).deidentify(part10(content)).tobytes()
    )
    assert {k: after.AnatomicRegionSequence[0].get(k) for k in item} == item


def test_a_text_is_looked_at_in_its_character_set() -> None:
    charset = EXPLICIT.element(0x00080005, "CS", b"ISO_IR 192")
    content = charset + EXPLICIT.element(0x00081090, "LO", even("gerät 7, Dr. Müller".encode()))
    one = Deidentifier(RECIPES["research"], Pseudonyms(KEY), VARIABLES, [Identifier("name", "Müller")])
    out = one.deidentify(part10(content)).tobytes()
    assert charset in out and "Müller".encode() not in out and "gerät 7".encode() in out


def test_a_nested_text_of_a_device_is_looked_at_too() -> None:
    for syntax in (EXPLICIT, IMPLICIT, BIG):
        content = syntax.element(0x00081090, "LO", even(b"scanned by Kowalczyk"))
        nested = syntax.sequence(0x00189506, [syntax.sequence(0x00189507, [content], delimited=True)])
        out = Deidentifier(RECIPES["research"], Pseudonyms(KEY), VARIABLES).deidentify(part10(nested, syntax)).tobytes()
        assert b"Kowalczyk" not in out and b"scanned by" in out


def test_what_a_cleaner_says_of_a_device_does_not_change_when_asked_again() -> None:
    cleaner = Cleaner(KNOWN, 5)
    for text in ("Ingenia Dr. Kowalczyk", "syngo MR B17 (Dr. House)", "SIEMENS"):
        once = cleaner.clean_device_text(text)
        assert cleaner.clean_device_text(once) == once
