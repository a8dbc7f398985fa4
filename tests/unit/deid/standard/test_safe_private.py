"""Safe private elements: the table, and that a recipe which retains them retains those and no other."""

from __future__ import annotations

import io

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset

from sendit.deid import deidentify
from sendit.deid.recipe.addresses import Field
from sendit.deid.recipe.field_syntax import parse_field
from sendit.deid.recipe.recipe import Recipe, load_recipe, parse_recipe
from sendit.deid.recipe.rules import Action
from sendit.deid.recipe.selectors import PrivateTag
from sendit.deid.standard.safe_private import SafePrivate, known_as_safe, read_safe_private, safe_private
from sendit.deid.stream.values import NUMBERS

ROW = "SIEMENS MR HEADER\t0019\t0C\tIS\tB Value\ta book"


def field(safe: SafePrivate, creator: str | None = None) -> Field:
    return Field((), safe.group << 16 | 0x1000 | safe.offset, safe.vr, creator or safe.creator)


def test_a_row_is_read_and_named_as_a_recipe_names_it() -> None:
    (safe,) = read_safe_private(f"# about\ncreator\tgroup\toffset\tvr\tmeaning\tsource\n{ROW}\n")
    assert safe == SafePrivate("SIEMENS MR HEADER", 0x0019, 0x0C, "IS", "B Value", "a book")
    assert safe.field == '(0019,"SIEMENS MR HEADER",0C)'


def test_every_row_is_a_private_element_with_its_source() -> None:
    assert safe_private()
    for safe in safe_private():
        assert parse_field(safe.field) == PrivateTag(safe.group, safe.creator, safe.offset)
        assert safe.meaning and safe.source


@pytest.mark.parametrize("name", ["research", "limited-dataset"])
def test_a_recipe_that_retains_them_retains_no_other(name: str) -> None:
    recipe = load_recipe(name)
    assert not recipe.removes_all_private
    assert all(recipe.decide(field(safe)).kept for safe in safe_private() if not safe.is_sequence)
    assert not any(removes(recipe, field(safe)) for safe in safe_private())
    assert all(removes(recipe, field(safe, "ANOTHER CREATOR")) for safe in safe_private())
    assert removes(recipe, Field((), 0x00111001, "LO", "A CREATOR"))


def test_without_the_option_they_go() -> None:
    basic = load_recipe("basic")
    assert basic.removes_all_private
    assert all(removes(basic, field(safe)) for safe in safe_private())


def test_a_rule_of_the_recipes_own_removes_one() -> None:
    (safe, *_) = safe_private()
    one = parse_recipe(f"FORMAT dicom\nPROFILE Basic + Retain Safe Private\n%header\nREMOVE {safe.field}\n")
    assert removes(one, field(safe))


def removes(recipe: Recipe, address: Field) -> bool:
    return [step.action for step in recipe.decide(address).steps] == [Action.REMOVE]


# ------------------------------------------------------------------------------------------------ by VR and form


@pytest.mark.parametrize(
    ("vr", "written", "raw", "fits"),
    [
        ("IS", "IS", b"1000 ", True),
        ("IS", "", b"1000 ", True),
        ("IS", "UN", b"1000\\500 ", True),
        ("IS", "DS", b"1000.5", True),
        ("IS", "LO", b"1000", False),
        ("IS", "IS", b"Doe ", False),
        ("DS", "DS", b"1.5E-3\\ -2 ", True),
        ("DS", "DS", b"\\".join([b"1"] * 300), False),
        ("DS", "UN", b"Zqcanary", False),
        ("FD", "FD", bytes(24), True),
        ("FD", "", bytes(24), True),
        ("FD", "FL", bytes(4), True),
        ("FD", "FD", bytes(23), False),
        ("FD", "OB", bytes(24), False),
        ("US", "US", bytes(2000), False),
        ("CS", "CS", b"DIRECTIONAL ", True),
        ("CS", "LO", b"1.375:1", True),
        ("CS", "CS", b"DOE^JANE", False),
        ("CS", "SH", "Müller".encode(), False),
        ("SH", "ST", b"1:1", False),
        ("SH", "SH", b"", True),
    ],
)
def test_a_value_has_the_form_of_its_row_or_not(vr: str, written: str, raw: bytes, fits: bool) -> None:
    assert SafePrivate("A", 0x0019, 1, vr, "m", "s").has_form(written, raw) is fits


def test_no_row_is_of_a_vr_that_holds_more_than_numbers_and_terms() -> None:
    plain = [safe for safe in safe_private() if not (safe.is_sequence or safe.is_rewritten)]
    assert {safe.vr for safe in plain} <= {*NUMBERS, "DS", "IS", "CS", "LO", "SH"}
    assert len({(safe.creator, safe.group, safe.offset) for safe in safe_private()}) == len(safe_private())


def test_a_row_is_found_by_creator_and_place_in_any_block() -> None:
    safe = known_as_safe("siemens mr header", 0x0019110C)
    assert safe is not None and safe.meaning == "B Value"
    assert known_as_safe("SIEMENS MR HEADER", 0x001911FF) is None
    assert known_as_safe("ANOTHER", 0x0019110C) is None


SIEMENS = {0x0C: ("IS", "1000"), 0x0D: ("CS", "DIRECTIONAL"), 0x0E: ("FD", [0.0, 0.6, 0.8]), 0x0F: ("SH", "Fast")}


def private_image(*, implicit: bool = False, **values: tuple[str, object]) -> bytes:
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1"
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PatientName = "1.2.840.10008.5.1.4.1.1.4", "1.2.3", "Doe^Jane"
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    for offset, (vr, value) in (SIEMENS | {int(key[1:], 16): one for key, one in values.items()}).items():
        block.add_new(offset, vr, value)
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=False)
    return stream.getvalue()


def offsets_left(data: bytes, recipe: str = "research") -> set[int]:
    variables = {"jitter": 3, "entity_id": "E1", "item_id": "I1"}
    out = deidentify(data, recipe=load_recipe(recipe), key=b"a key that tests have", variables=variables)
    return {
        elem.tag.elem & 0xFF
        for elem in dcmread(io.BytesIO(out.tobytes()))
        if elem.tag.is_private and elem.tag.elem > 0xFF
    }


@pytest.mark.parametrize("implicit", [False, True])
def test_safe_elements_of_an_image_stay(implicit: bool) -> None:
    assert offsets_left(private_image(implicit=implicit)) == {0x0C, 0x0D, 0x0E, 0x0F}
    assert offsets_left(private_image(implicit=implicit), "basic") == set()


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(
    ("value", "gone"),
    [
        ({"x0F": ("SH", "Kowalczyk")}, 0x0F),
        ({"x0F": ("SH", "Doe")}, 0x0F),
        ({"x0F": ("SH", "20200131")}, 0x0F),
        ({"x0D": ("CS", "A 8675309")}, 0x0D),
        ({"x0C": ("LO", "1000 Doe")}, 0x0C),
        ({"x0E": ("OB", b"Doe Jane7")}, 0x0E),
    ],
)
def test_one_that_is_not_what_it_should_be_goes(
    implicit: bool, value: dict[str, tuple[str, object]], gone: int
) -> None:
    assert offsets_left(private_image(implicit=implicit, **value)) == {0x0C, 0x0D, 0x0E, 0x0F} - {gone}


def test_a_rule_of_ones_own_that_keeps_one_does_not_ask() -> None:
    recipe = parse_recipe('FORMAT dicom\n%header\nREMOVE select:private:yes\nKEEP (0019,"SIEMENS MR HEADER",0F)\n')
    out = deidentify(private_image(x0F=("SH", "Kowalczyk")), recipe=recipe, key=b"a key that tests have")
    assert dcmread(io.BytesIO(out.tobytes()))[0x0019100F].value == "Kowalczyk"
