"""What a recipe does to values, bound to a patient's variables: through the engine, for that is how it is met."""

from __future__ import annotations

import gc
import io
import re
import warnings
from typing import Any

import pytest
from pydicom import Dataset

from sendit.deid.rewriting.attribute import CLASS_UID_TAGS
from sendit.deid.rewriting.plan import DatasetPlan
from sendit.deid.rewriting.study import BoundRecipe
from sendit.errors import BrokenPromise, Misconfigured
from tests.support.phantoms import DIGITS, FILES, WORD, bundled, leaks_in, plant
from tests.support.streams import (
    BY_NAME,
    EXPLICIT,
    IMPLICIT,
    UNDEFINED,
    Syntax,
    dataset_of,
    deidentified,
    deidentifier,
    even,
    part10,
    read,
    refused,
)

NAME, PATIENT_ID, IMAGES = 0x00100010, 0x00100020, 0x00081140
CHARSETS = sorted((FILES.parent / "charset_files").glob("chr[!S]*.dcm"))


@pytest.fixture(params=BY_NAME)
def syntax(request: pytest.FixtureRequest) -> Syntax:
    return BY_NAME[request.param]


def value_of(tag: int, vr: str, raw: bytes, rules: str, syntax: Syntax = EXPLICIT, **variables: Any) -> bytes | None:
    """What becomes of one element's value; None where it goes."""
    after = dataset_of(part10(syntax.element(tag, vr, raw), syntax), rules, **variables)
    if not after:
        return None
    head = after.index(syntax.element(tag, vr)[: 4 if syntax.implicit else 6])
    assert head == 0
    size = 12 if vr in ("UN", "OB", "UT") and not syntax.implicit else 8
    assert after == syntax.element(tag, vr, after[size:])
    return after[size:]


# ------------------------------------------------------------------------------------------------- actions


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("", b"ABC "),
        ("KEEP PatientID", b"ABC "),
        ("BLANK PatientID", b""),
        ("REMOVE PatientID", None),
        ("REPLACE PatientID other", b"other "),
        ("REPLACE PatientID var:entity_id", b"p1"),
        ("ADD PatientID other", b"other "),
        ("REMOVE PatientID\nADD PatientID other", b"other "),
        ("BLANK PatientID\nREPLACE PatientID other", b"other "),
        ("REPLACE PatientID other\nBLANK PatientID", b""),
        ("REMOVE ALL\nKEEP PatientID", b"ABC "),
        ("REMOVE ALL\nREPLACE PatientID other", b"other "),
    ],
)
def test_each_action_does_its_work_in_every_syntax(syntax: Syntax, rules: str, expected: bytes | None) -> None:
    assert value_of(PATIENT_ID, "LO", b"ABC ", rules, syntax) == expected


def test_the_same_value_becomes_what_each_attribute_s_rule_says() -> None:
    content = EXPLICIT.element(NAME, "PN", b"same") + EXPLICIT.element(PATIENT_ID, "LO", b"same")
    after = read(deidentified(part10(content), "REPLACE PatientName one\nREPLACE PatientID other"))
    assert (after.PatientName, after.PatientID) == ("one", "other")


def test_an_element_of_unknown_vr_is_written_with_its_own() -> None:
    content = EXPLICIT.element(NAME, "UN", even(WORD))
    assert dataset_of(part10(content), "REPLACE PatientName X") == EXPLICIT.element(NAME, "PN", b"X ")
    undefined = EXPLICIT.element(NAME, "UN", IMPLICIT.item(b"") + IMPLICIT.mark(0xE0DD, 0), UNDEFINED)
    with refused("BadElement", NAME):
        deidentified(part10(undefined), "BLANK PatientName")


def test_a_number_is_replaced_in_the_files_byte_order(syntax: Syntax) -> None:
    after = value_of(0x00280010, "US", b"\1\2", "REPLACE Rows 513", syntax)
    assert after == (b"\2\1" if syntax.order == ">" else b"\1\2")


def test_a_number_that_is_none_becomes_empty() -> None:
    assert value_of(0x00280010, "US", b"\1\2", "REPLACE Rows many") == b""
    assert value_of(0x00200011, "IS", b"1 ", "REPLACE SeriesNumber many") == b""


@pytest.mark.parametrize(
    "rules", ["REPLACE StudyID var:nothing", "JITTER StudyDate var:nothing", "ADD StudyID var:nothing"]
)
def test_a_variable_that_is_not_there_stops_all_and_is_named(rules: str) -> None:
    content = EXPLICIT.element(0x00080020, "DA", b"20240229") + EXPLICIT.element(0x00200010, "SH", even(DIGITS))
    if rules.startswith("ADD"):
        content = EXPLICIT.element(0x00080020, "DA", b"20240229")
    with refused("UnknownVariable"):
        deidentified(part10(content), rules)
    with pytest.raises(Misconfigured, match=r"\(nothing\)"):
        deidentified(part10(content), rules)


def test_a_value_that_does_not_fit_is_refused_with_its_tag() -> None:
    data = part10(EXPLICIT.element(0x00200010, "SH", b"1 "))
    with refused("NotEncodable", 0x00200010):
        deidentified(data, "REPLACE StudyID this is longer than sixteen")
    with refused("NotEncodable", 0x00200010):
        deidentified(data, "REPLACE StudyID var:long", long="x" * 17)


# ------------------------------------------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("vr", "raw", "expected"),
    [
        ("DA", b"20240224", b"20240229"),
        ("DA", b"20231227", b"20240101"),
        ("DA", b"20240224\\20231227 ", b"20240229\\20240101 "),
        ("DA", b"", b""),
        ("DA", b"  ", b"  "),
        ("DA", b"unknown ", b""),
        ("DA", b"20230229", b""),
        ("DA", b"99991231", b""),
        ("DT", b"20240224115959.123456-0800", b"20240229115959.123456 "),
        ("DT", b"2024022411", b"2024022911"),
        ("DT", b"2024", b""),
        ("LO", b"20240224", b"20240229"),
        ("LO", b"Tuesday ", b""),
        ("TM", b"115959", b"115959"),
        ("US", b"\1\2", b"\1\2"),
    ],
)
def test_a_date_is_shifted_or_emptied_and_nothing_else_is_touched(vr: str, raw: bytes, expected: bytes) -> None:
    tags = {"DA": 0x00080020, "DT": 0x0008002A, "TM": 0x00080030, "LO": PATIENT_ID, "US": 0x00280010}
    assert value_of(tags[vr], vr, raw, f"JITTER select:VR:{vr} var:jitter") == expected


@pytest.mark.parametrize("days", [5, "5", "+5", 5.0])
def test_the_days_may_come_as_number_or_text(days: object) -> None:
    assert value_of(0x00080020, "DA", b"20240224", "JITTER StudyDate var:days", days=days) == b"20240229"


@pytest.mark.parametrize("days", ["five", [], object()])
def test_days_that_are_no_number_stop_all(days: object) -> None:
    with refused("UnknownVariable"):
        deidentified(part10(EXPLICIT.element(0x00080020, "DA", b"20240224")), "JITTER StudyDate var:days", days=days)


# ------------------------------------------------------------------------------------------------- pseudonyms


def test_uids_are_replaced_alike_everywhere_and_classes_stay() -> None:
    uid = b"1.2.826.0.1.99\0\0"
    content = b"".join(EXPLICIT.element(tag, "UI", uid) for tag in sorted(CLASS_UID_TAGS - {0x00020010, 0x00081150}))
    content += EXPLICIT.sequence(IMAGES, [EXPLICIT.element(0x00081155, "UI", uid)])
    content += EXPLICIT.element(0x0020000D, "UI", uid) + EXPLICIT.element(0x0020000E, "UI", uid[:-2] + b"\\" + uid[:-1])
    content = b"".join(sorted(re.split(rb"(?=\x08\0..UI|\x08\0\x40\x11SQ|\x20\0..UI)", content, flags=re.S)))
    after = read(deidentified(part10(content), "REPLACE select:VR:UI deid_func:pydicom_uuid"))
    pseudonym = after.StudyInstanceUID
    assert re.fullmatch(r"2\.25\.\d+", pseudonym)
    assert after.ReferencedImageSequence[0].ReferencedSOPInstanceUID == pseudonym
    assert list(after.SeriesInstanceUID) == [pseudonym, pseudonym]
    assert {after[tag].value for tag in CLASS_UID_TAGS if tag in after} == {"1.2.826.0.1.99"}


def test_deids_functions_are_keyed_and_stable() -> None:
    def replaced(function: str, vr: str, tag: int) -> str:
        rules = f"REPLACE {tag:08X} deid_func:{function}"
        first, second = (value_of(tag, vr, b"1.2.3.40", rules) for _ in range(2))
        assert first == second is not None
        return first.decode().strip("\0 ")

    assert replaced("pydicom_uuid prefix=1.2.99.", "UI", 0x0020000D).startswith("1.2.99.")
    assert replaced("dicom_uuid org_root=1.2.98", "UI", 0x0020000D).startswith("1.2.98.")
    assert replaced("dicom_uuid", "UI", 0x0020000D) == replaced("pydicom_uuid", "UI", 0x0020000D)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", replaced("basic_uuid", "LO", PATIENT_ID))
    assert replaced("suffix_uuid", "LO", PATIENT_ID).startswith("patientid-")


# ------------------------------------------------------------------------------------------------- character sets


@pytest.mark.parametrize("path", CHARSETS, ids=lambda path: path.name)
def test_a_value_is_compared_in_the_files_character_set(path: Any) -> None:
    rules = "%header\nBLANK values:n\n%values n\nFIELD PatientName\n"
    before, after = read(path), read(deidentified(path, rules))
    assert str(before.PatientName) and not str(after.PatientName)


def test_items_may_declare_a_character_set_of_their_own() -> None:
    name, latin, utf8 = (EXPLICIT.element(tag, vr, raw) for tag, vr, raw in (
        (NAME, "PN", b"x "), (0x00080005, "CS", b"ISO_IR 100"), (0x00080005, "CS", b"ISO_IR 192")))  # fmt: skip
    sequences = EXPLICIT.sequence(0x00101002, [utf8 + name]) + EXPLICIT.sequence(0x00102202, [name])
    after = dataset_of(part10(latin + sequences), "REPLACE PatientName Zoë")
    expected = [utf8 + EXPLICIT.element(NAME, "PN", "Zoë".encode())]
    others = [EXPLICIT.element(NAME, "PN", "Zoë ".encode("latin-1"))]
    assert after == latin + EXPLICIT.sequence(0x00101002, expected) + EXPLICIT.sequence(0x00102202, others)


# ------------------------------------------------------------------------------------------------- functions


def phantom(base: str = "CT_small.dcm") -> bytes:
    ds = read(bundled(base))
    plant(ds, 1, 1)
    ds.save_as(out := io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize("base", ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm"])
def test_a_function_is_given_the_whole_header_and_no_pixels(base: str) -> None:
    seen: list[Dataset] = []

    def look(dicom: Dataset, **_: Any) -> str:
        seen.append(dicom)
        return "seen"

    data = phantom(base)
    after = read(deidentified(data, "REPLACE PatientID func:look\nREPLACE StudyID func:look", look=look))
    assert (after.PatientID, after.StudyID) == ("seen", "seen")
    assert seen[0] is seen[1], "read once an image"
    before = read(data)
    assert "PixelData" not in seen[0] and str(seen[0].PatientName) == str(before.PatientName)
    wanted = {tag for tag in before.keys() if tag not in (0x7FE00010, 0xFFFCFFFC) and tag.element}  # noqa: SIM118
    assert wanted == set(seen[0].keys())


def test_a_function_may_decide_whether_an_element_goes() -> None:
    rules = "REMOVE contains:^Patient func:is_name"
    after = read(deidentified(phantom(), rules, is_name=lambda field, **_: field.name == "PatientName"))
    assert "PatientName" not in after and "PatientID" in after


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, RuntimeError, AssertionError, OSError, EOFError, ZeroDivisionError]
)
def test_what_a_function_says_when_it_fails_is_not_told(error: type[Exception]) -> None:
    def fail(dicom: Dataset, **_: Any) -> str:
        raise error(dicom.PatientName)

    with refused("FunctionFailed"):
        deidentified(phantom(), "REPLACE PatientID func:fail", fail=fail)


def test_a_function_that_is_none_is_refused() -> None:
    with refused("UnknownFunction"):
        deidentified(phantom(), "REPLACE PatientID func:entity_id")
    with refused("UnknownFunction"):
        deidentified(phantom(), "REPLACE PatientID func:nowhere")


def test_what_pydicom_says_of_values_is_heard_nowhere(
    recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Values that are none of their VR, asked for by a function and by a %values list."""
    warnings.simplefilter("always")
    caplog.set_level(0)
    bad = b"".join(EXPLICIT.element(tag, vr, even(f"{WORD} {DIGITS}")) for tag, vr in (
        (0x00080018, "UI"), (0x00080020, "DA"), (0x00080060, "CS"), (0x00200013, "IS")))  # fmt: skip
    rules = "%header\nREPLACE Modality func:all_of_it\nREPLACE values:v X\n%values v\nFIELD ALL\n"
    deid = deidentifier(rules, all_of_it=lambda dicom, **_: str(len(str(dicom)))[:2])
    try:
        deid.deidentify(part10(bad)).tobytes()
    except Exception as error:  # noqa: BLE001 - whether pydicom can read them does not matter here
        assert leaks_in(repr(error)) == []
    assert leaks_in(caplog.text + "".join(str(one.message) for one in recwarn.list)) == []


@pytest.mark.parametrize("size", [0xFFFFFFF0, 5000])
def test_a_header_that_pydicom_would_choke_on_is_refused_before_it_reads_it(size: int) -> None:
    nested = EXPLICIT.element(0x00081140, "SQ", EXPLICIT.mark(0xE000, UNDEFINED), UNDEFINED) * 3000
    content = EXPLICIT.element(0x00080060, "CS", b"CT") + (nested if size == 5000 else EXPLICIT.element(
        0x00420011, "OB", b"short", size=size))  # fmt: skip
    with refused("TooDeep" if size == 5000 else "Truncated"):
        deidentified(part10(content), "REPLACE Modality func:f", f=lambda **_: "MR")


# ------------------------------------------------------------------------------------------------- bounds


def test_what_is_beyond_the_plans_memory_is_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = "REPLACE PatientName X\nREMOVE contains:Physician\nREPLACE select:VR:UI deid_func:pydicom_uuid\n"
    expected = deidentified(phantom(), rules)
    monkeypatch.setattr(BoundRecipe, "MOST", 3)
    deid = deidentifier(rules)
    assert [deid.deidentify(phantom()).tobytes() == expected for _ in range(3)] == [True] * 3


def test_ever_new_sequences_do_not_grow_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def hostile(group: int) -> bytes:
        items = [EXPLICIT.element(NAME, "PN", b"x ")]
        return part10(b"".join(EXPLICIT.sequence(group << 16 | element, items) for element in range(1, 400)))

    monkeypatch.setattr(BoundRecipe, "MOST", 1000)
    deid = deidentifier("REPLACE PatientName X")
    for group in range(0x0800, 0x0810, 2):
        assert b"x " not in deid.deidentify(hostile(group)).tobytes()[300:]
    gc.collect()
    plans = [one for one in gc.get_objects() if type(one) is DatasetPlan and one.study.recipe is deid._recipe]
    assert 0 < len(plans) < 1000


def test_no_error_of_a_recipe_is_called_a_bug_of_ours() -> None:
    with pytest.raises(Misconfigured) as caught:
        deidentified(phantom(), "REPLACE PatientID var:nothing")
    assert not isinstance(caught.value, BrokenPromise)
