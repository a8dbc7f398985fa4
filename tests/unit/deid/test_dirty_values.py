"""Values that are nearly right: moments beyond the clock, texts that are too long, character sets by other names."""

from __future__ import annotations

import io
import warnings

import pytest
from pydicom import Dataset, dcmread

from sendit.deid import deidentify
from tests.support.streams import EXPLICIT, KEY, VARIABLES, dataset_of, even, part10, refused

CT = "1.2.840.10008.5.1.4.1.1.2"
MOMENT, DESCRIPTION, COMMENTS, IMAGES = 0x0008002A, 0x00081030, 0x00204000, 0x00540016


def element(tag: int, vr: str, value: bytes) -> bytes:
    return EXPLICIT.element(tag, vr, even(value))


def researched(*elements: bytes) -> Dataset:
    start = element(0x00080016, "UI", CT.encode() + b"\0") + element(0x00080018, "UI", b"1.2.3\0")
    data = part10(b"".join(sorted((start, *elements), key=lambda one: (one[1], one[0], one[3], one[2]))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = dcmread(io.BytesIO(deidentify(data, recipe="research", key=KEY, variables=VARIABLES).tobytes()))
        for _ in dataset.iterall():
            pass
    return dataset


BEYOND = [
    "20200131240000",
    "20200131106000",
    "20200131101199",
    "2020013124",
    "202001312400",
    "20200131250000.5",
    "20200131999999",
]


@pytest.mark.parametrize("moment", BEYOND)
def test_of_a_moment_beyond_the_clock_the_day_is_shifted_and_stays(moment: str) -> None:
    assert researched(element(MOMENT, "DT", moment.encode())).AcquisitionDateTime == "20200205"


@pytest.mark.parametrize("moment", BEYOND)
def test_so_in_an_item(moment: str) -> None:
    item = EXPLICIT.item(element(0x00181078, "DT", moment.encode()))
    after = researched(EXPLICIT.element(IMAGES, "SQ", item))
    assert after.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime == "20200205"


@pytest.mark.parametrize("moment", ["20200131235960", "20200131", "20200131101112.123456", "202001311011"])
def test_a_moment_on_the_clock_keeps_its_time(moment: str) -> None:
    assert researched(element(MOMENT, "DT", moment.encode())).AcquisitionDateTime == "20200205" + moment[8:]


@pytest.mark.parametrize("moment", ["20201331101112", "20200230101112", "2020", "x"])
def test_a_moment_without_a_day_is_emptied(moment: str) -> None:
    assert not researched(element(MOMENT, "DT", moment.encode())).get("AcquisitionDateTime")


# ------------------------------------------------------------------------------------------------- long texts


@pytest.mark.parametrize(
    ("vr", "tag", "limit"), [("LO", DESCRIPTION, 64), ("LO", 0x00181030, 64), ("LO", 0x00400254, 64)]
)
def test_a_text_longer_than_its_vr_allows_is_cut_behind_a_word(vr: str, tag: int, limit: int) -> None:
    value = str(researched(element(tag, vr, b"axial knee coronal " * 9))[tag].value)
    assert 0 < len(value) <= limit and value.split()[-1] in ("axial", "knee", "coronal")


def test_a_text_is_cleaned_before_it_is_cut() -> None:
    value = b"axial knee " * 5 + b"Vandersloot " + b"coronal " * 5
    after = researched(element(DESCRIPTION, "LO", value), element(0x00100010, "PN", b"Vandersloot^Ermintrude"))
    assert "Vander" not in after.StudyDescription and len(after.StudyDescription) <= 64


def test_a_text_of_the_longest_allowed_stays() -> None:
    value = (b"axial knee " * 9)[:63].strip() + b" t"
    assert researched(element(DESCRIPTION, "LO", value[:64])).StudyDescription == value[:64].decode().strip()


# ------------------------------------------------------------------------------------------------- character sets


NAMES = [("UTF-8", "ISO_IR 192"), ("utf8", "ISO_IR 192"), ("ISO-IR 192", "ISO_IR 192"), ("ISO_IR_192", "ISO_IR 192")]
LATIN = [
    "ISO-IR 100",
    "ISO_IR_100",
    "ISO IR 100",
    "latin1",
    "latin-1",
    "ISO-8859-1",
    "ISO8859-1",
    "ISO_8859-1",
    "windows-1252",
]


@pytest.mark.parametrize(("declared", "term"), [*NAMES, *((name, "ISO_IR 100") for name in LATIN)])
def test_a_character_set_by_another_name_is_understood_and_written_by_its_own(declared: str, term: str) -> None:
    text = "schädel".encode("utf-8" if term == "ISO_IR 192" else "latin-1")
    data = part10(element(0x00080005, "CS", declared.encode()) + element(DESCRIPTION, "LO", text))
    assert dataset_of(data) == element(0x00080005, "CS", term.encode()) + element(DESCRIPTION, "LO", text)
    after = researched(element(0x00080005, "CS", declared.encode()), element(DESCRIPTION, "LO", text))
    assert (after.SpecificCharacterSet, after.StudyDescription) == (term, "schädel")


@pytest.mark.parametrize("declared", ["ASCII", "US-ASCII", "ISO_IR 6", "ISO-IR 6", "ISO 2022 IR 6"])
def test_the_default_character_set_by_any_name(declared: str) -> None:
    assert (
        researched(element(0x00080005, "CS", declared.encode()), element(DESCRIPTION, "LO", b"knee")).StudyDescription
        == "knee"
    )


@pytest.mark.parametrize("declared", ["KLINGON", "ISO_IR 999", "UTF-7"])
def test_a_character_set_that_nobody_knows_is_refused(declared: str) -> None:
    with refused("UnknownCharacterSet"):
        dataset_of(part10(element(0x00080005, "CS", declared.encode()) + element(DESCRIPTION, "LO", b"knee")))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"knee \x96 axial", "knee - axial"),
        (b"axial \x93knee\x94", 'axial "knee"'),
        (b"sch\xe4del \x85", "schädel ..."),
    ],
)
def test_windows_1252_under_latin_1_is_read_as_what_it_is(written: bytes, read: str) -> None:
    after = researched(element(0x00080005, "CS", b"ISO_IR 100"), element(DESCRIPTION, "LO", written))
    assert after.StudyDescription == read


@pytest.mark.parametrize("name", ["Šimić".replace("ć", "c"), "Žižek", "Œuvrard"])
def test_a_name_in_windows_1252_is_found_wherever_it_is(name: str) -> None:
    encoded = name.encode("cp1252")
    after = researched(
        element(0x00080005, "CS", b"ISO_IR 100"),
        element(0x00100010, "PN", encoded + b"^Anna"),
        element(COMMENTS, "LT", b"knee of " + encoded),
    )
    said = str(after.get("ImageComments", ""))
    assert said.startswith("knee") and name[1:] not in said
