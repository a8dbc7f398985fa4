"""The walk: what no rule touches stays byte for byte, what one touches is rewritten with right lengths and in order."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Callable

import pytest

from sendit.deid import Deidentifier, Identifier, Pseudonyms
from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.rewriting.rewrite import BULK_BYTES
from sendit.deid.stream.sources import WINDOW
from tests.support.phantoms import WORD, bundled
from tests.support.streams import (
    BY_NAME,
    EXPLICIT,
    IMPLICIT,
    KEY,
    SYNTAXES,
    UNDEFINED,
    VARIABLES,
    Syntax,
    dataset_of,
    deidentified,
    deidentifier,
    even,
    part10,
    read,
    refused,
    split_part10,
)

NAME, PATIENT_ID, MODALITY, IMAGES = 0x00100010, 0x00100020, 0x00080060, 0x00081140
PIXELS = 0x7FE00010
BOTH = [False, True]


def name(syntax: Syntax, text: str = WORD) -> bytes:
    return syntax.element(NAME, "PN", even(text))


@pytest.fixture(params=BY_NAME)
def syntax(request: pytest.FixtureRequest) -> Syntax:
    return BY_NAME[request.param]


# ------------------------------------------------------------------------------------------------- sequences


@pytest.mark.parametrize(("delimited", "items_delimited"), itertools.product(BOTH, BOTH))
def test_lengths_of_rewritten_items_are_right_in_each_form(
    syntax: Syntax, delimited: bool, items_delimited: bool
) -> None:
    def content(patient: bytes) -> bytes:
        uid = syntax.element(0x00081155, "UI", b"1.2.3\0")
        items = [patient, uid, uid + patient]
        return syntax.sequence(IMAGES, items, delimited=delimited, items_delimited=items_delimited)

    before = content(name(syntax))
    assert dataset_of(part10(before, syntax)) == before
    assert dataset_of(part10(before, syntax), "REMOVE PatientName") == content(b"")
    replaced = content(name(syntax, "a longer name than before"))
    assert dataset_of(part10(before, syntax), "REPLACE PatientName a longer name than before") == replaced


@pytest.mark.parametrize("vr", ["SQ", "UN"])
@pytest.mark.parametrize("delimited", BOTH)
def test_an_attribute_is_rewritten_at_depth_20(syntax: Syntax, delimited: bool, vr: str) -> None:
    def content(text: str) -> bytes:
        innermost = IMPLICIT if vr == "UN" and not syntax.implicit else syntax
        nested = name(innermost, text)
        for depth in range(20):
            outer = syntax if depth == 19 or vr == "SQ" else innermost
            nested = outer.sequence(IMAGES, [nested], delimited=delimited, items_delimited=delimited, vr=vr)
        return nested

    before = content(WORD)
    assert dataset_of(part10(before, syntax)) == before
    assert dataset_of(part10(before, syntax), "REPLACE PatientName another") == content("another")


def test_a_sequence_of_unknown_vr_is_walked_as_implicit_little_endian_in_every_syntax(syntax: Syntax) -> None:
    for tag, rules in ((IMAGES, ""), (0x00189999, ""), (0x00091001, "KEEP contains:^nothing\n")):
        before = syntax.sequence(tag, [name(IMPLICIT) + IMPLICIT.element(PATIENT_ID, "LO", b"1")], vr="UN")
        if tag == 0x00091001:
            before = syntax.element(0x00090010, "LO", b"ACME") + before
        assert WORD.encode() in dataset_of(part10(before, syntax))
        assert WORD.encode() not in dataset_of(part10(before, syntax), rules + "REMOVE PatientName")


def test_a_value_of_unknown_vr_that_begins_like_a_sequence_and_is_none_is_refused() -> None:
    with refused("Truncated"):
        deidentified(
            part10(EXPLICIT.element(0x00189999, "UN", EXPLICIT.item(b"no element at all"))), "REMOVE PatientName"
        )


def test_a_removed_or_blanked_sequence_takes_what_is_in_it_along(syntax: Syntax) -> None:
    data = part10(syntax.sequence(IMAGES, [name(syntax)], delimited=True), syntax)
    assert dataset_of(data, "REMOVE ReferencedImageSequence") == b""
    assert dataset_of(data, "BLANK ReferencedImageSequence") == syntax.element(IMAGES, "SQ")


def test_a_kept_sequence_stays_as_it_is(syntax: Syntax) -> None:
    content = syntax.sequence(IMAGES, [name(syntax)], delimited=True)
    data = part10(content, syntax)
    assert dataset_of(data, "REMOVE PatientName\nKEEP ReferencedImageSequence") == content


def test_an_empty_sequence_and_an_empty_item_stay(syntax: Syntax) -> None:
    content = syntax.sequence(IMAGES, [], delimited=True) + syntax.sequence(0x00082112, [b"", b""])
    assert dataset_of(part10(content, syntax), "REMOVE PatientName") == content


def test_icon_pixels_in_an_item_stay_encapsulated() -> None:
    fragments = EXPLICIT.item(b"") + EXPLICIT.item(b"\xff\xd8icon") + EXPLICIT.mark(0xE0DD, 0)
    icon = EXPLICIT.element(PIXELS, "OB", fragments, UNDEFINED)
    content = EXPLICIT.sequence(0x00880200, [name(EXPLICIT) + icon], delimited=True)
    assert dataset_of(part10(content), "REMOVE PatientName") == EXPLICIT.sequence(0x00880200, [icon], delimited=True)


# ------------------------------------------------------------------------------------------------- order


def test_tags_out_of_order_are_put_in_order_at_the_root_and_in_items(syntax: Syntax) -> None:
    modality, patient_id = syntax.element(MODALITY, "CS", b"CT"), syntax.element(PATIENT_ID, "LO", b"12")
    for delimited in BOTH:
        disordered = syntax.sequence(IMAGES, [patient_id + modality], delimited=delimited, items_delimited=delimited)
        ordered = syntax.sequence(IMAGES, [modality + patient_id], delimited=delimited, items_delimited=delimited)
        assert dataset_of(part10(disordered, syntax)) == ordered
        assert dataset_of(part10(patient_id + disordered + modality, syntax)) == modality + ordered + patient_id


def test_rules_hold_in_what_was_out_of_order(syntax: Syntax) -> None:
    charset = syntax.element(0x00080005, "CS", b"ISO_IR 192")
    patient = syntax.element(NAME, "PN", "Müller".encode().ljust(8))
    item = syntax.element(PATIENT_ID, "LO", b"12") + patient
    data = part10(charset + patient + syntax.sequence(IMAGES, [item]), syntax)
    after = dataset_of(data, "REPLACE PatientName Möller\nADD Modality CT")
    replaced = syntax.element(NAME, "PN", "Möller".encode().ljust(8))
    expected = [replaced + syntax.element(PATIENT_ID, "LO", b"12")]
    added = syntax.element(MODALITY, "CS", b"CT")
    assert after == charset + added + syntax.sequence(IMAGES, expected) + replaced


@pytest.mark.parametrize("syntax", SYNTAXES, ids=BY_NAME)
def test_a_tag_above_the_delimiter_of_its_item_is_in_no_order(syntax: Syntax) -> None:
    """A mutant found it: the delimiter (FFFE,E00D) is not above an element of group FFFF, in whatever order."""
    item = syntax.element(0xFFFF0010, "LO", b"x ")
    with refused("BadSequence"):
        dataset_of(part10(syntax.sequence(IMAGES, [item], items_delimited=True), syntax))


def test_disorder_at_every_depth_takes_no_longer_than_order() -> None:
    nested = EXPLICIT.element(MODALITY, "CS", b"CT")
    for _ in range(60):
        nested = EXPLICIT.sequence(IMAGES, [nested], delimited=True, items_delimited=True)
        nested += EXPLICIT.element(0x00080018, "UI", b"1.2\0")
    after = dataset_of(part10(nested))
    assert len(after) == len(nested) and after.startswith(EXPLICIT.element(0x00080018, "UI", b"1.2\0"))


def test_a_disordered_file_of_pixels_stays_whole() -> None:
    pixels = EXPLICIT.element(PIXELS, "OW", bytes(range(256)) * 400)
    content = name(EXPLICIT) + EXPLICIT.element(MODALITY, "CS", b"CT")
    ordered = EXPLICIT.element(MODALITY, "CS", b"CT") + name(EXPLICIT)
    assert dataset_of(part10(content + pixels)) == ordered + pixels


# ------------------------------------------------------------------------------------------------- what goes by itself


def test_group_lengths_and_trailing_padding_are_dropped_at_every_depth(syntax: Syntax) -> None:
    length = syntax.element(0x00100000, "UL", struct.pack(syntax.order + "I", 20))
    padding = syntax.element(0xFFFCFFFC, "OB", bytes(64))
    before = syntax.sequence(IMAGES, [length + name(syntax)]) + length + name(syntax) + padding
    assert dataset_of(part10(before, syntax)) == syntax.sequence(IMAGES, [name(syntax)]) + name(syntax)


@pytest.mark.parametrize(
    "trailing", [b"\0", bytes(7), bytes(8), bytes(100), b"\xff" * 30, WORD.encode() * 9, name(EXPLICIT), b"\xe0\x7f"]
)
def test_bytes_after_the_pixel_data_are_dropped(trailing: bytes) -> None:
    pixels = EXPLICIT.element(PIXELS, "OW", bytes(100))
    assert (
        dataset_of(part10(name(EXPLICIT) + pixels + trailing), "REPLACE PatientName X") == name(EXPLICIT, "X") + pixels
    )
    encapsulated = EXPLICIT.element(PIXELS, "OB", EXPLICIT.item(b"") + EXPLICIT.mark(0xE0DD, 0), UNDEFINED)
    data = part10(name(EXPLICIT) + encapsulated + trailing, "1.2.840.10008.1.2.5")
    assert dataset_of(data, "REMOVE PatientName") == encapsulated


def test_bytes_after_a_dataset_without_pixels_are_refused_as_an_element_cut_short() -> None:
    with refused("Truncated"):
        deidentified(part10(name(EXPLICIT) + b"\0\0\0"))


def test_elements_behind_the_pixel_data_are_walked(syntax: Syntax) -> None:
    pixels = syntax.element(PIXELS, "OW", bytes(100))
    behind = syntax.sequence(0xFFFAFFFA, [name(syntax)])
    assert dataset_of(part10(pixels + behind, syntax)) == pixels + behind
    assert dataset_of(part10(pixels + behind, syntax), "REMOVE PatientName") == pixels + syntax.sequence(
        0xFFFAFFFA, [b""]
    )


# ------------------------------------------------------------------------------------------------- private blocks


def private(syntax: Syntax, offset: int, text: bytes = b"kept") -> bytes:
    return syntax.element(0x00091000 | offset, "LO", text)


def test_a_private_creator_stays_only_with_an_element_of_its_block(syntax: Syntax) -> None:
    acme, other = syntax.element(0x00090010, "LO", b"ACME"), syntax.element(0x00090011, "LO", b"IDLE")
    content = acme + other + private(syntax, 1) + private(syntax, 2)
    assert dataset_of(part10(content, syntax)) == acme + private(syntax, 1) + private(syntax, 2)
    kept = 'REMOVE select:private:yes\nKEEP (0009,"ACME",02)'
    assert dataset_of(part10(content, syntax), kept) == acme + private(syntax, 2)
    assert dataset_of(part10(content, syntax), "REMOVE select:private:yes") == b""


def test_a_block_is_told_by_its_creator_wherever_it_stands(syntax: Syntax) -> None:
    rules = 'REMOVE select:private:yes\nKEEP (0009,"ACME",01)'
    creator, element = syntax.element(0x000900E1, "LO", b"ACME"), syntax.element(0x0009E101, "LO", b"kept")
    stranger = syntax.element(0x00090010, "LO", b"STRANGER")
    assert dataset_of(part10(stranger + creator + private(syntax, 1) + element, syntax), rules) == creator + element


def test_private_blocks_of_items_are_their_own(syntax: Syntax) -> None:
    acme = syntax.element(0x00090010, "LO", b"ACME")
    rules = 'REMOVE select:private:yes\nKEEP (0009,"ACME",01)'
    data = part10(syntax.sequence(IMAGES, [private(syntax, 1), acme + private(syntax, 1)]) + acme, syntax)
    assert dataset_of(data, rules) == syntax.sequence(IMAGES, [b"", acme + private(syntax, 1)])


@pytest.mark.parametrize(("vr", "value"), [("SQ", EXPLICIT.item(name(EXPLICIT))), ("OB", b"ab"), ("UN", bytes(80))])
def test_what_hides_in_the_place_of_a_private_creator_goes(vr: str, value: bytes) -> None:
    data = part10(EXPLICIT.element(0x00090010, vr, value) + private(EXPLICIT, 1))
    assert dataset_of(data) == private(EXPLICIT, 1)
    assert dataset_of(data, "REMOVE select:private:yes") == b""


# ------------------------------------------------------------------------------------------------- additions


def test_absent_elements_are_added_in_their_place(syntax: Syntax) -> None:
    before = name(syntax) + syntax.element(0x00280010, "US", struct.pack(syntax.order + "H", 4))
    pixels = syntax.element(PIXELS, "OW", bytes(10))
    rules = "ADD PatientID p1\nADD Modality CT\nADD Rows 9\nADD Columns 512\nADD LossyImageCompression 00\n"
    after = dataset_of(part10(before + pixels, syntax), rules)
    expected = [
        syntax.element(MODALITY, "CS", b"CT"),
        name(syntax),
        syntax.element(PATIENT_ID, "LO", b"p1"),
        syntax.element(0x00280010, "US", struct.pack(syntax.order + "H", 9)),
        syntax.element(0x00280011, "US", struct.pack(syntax.order + "H", 512)),
        syntax.element(0x00282110, "CS", b"00"),
        pixels,
    ]
    assert after == b"".join(expected)


def test_an_element_is_added_to_an_empty_dataset_and_behind_the_last(syntax: Syntax) -> None:
    assert dataset_of(part10(b"", syntax), "ADD Modality CT") == syntax.element(MODALITY, "CS", b"CT")
    added = syntax.element(0x00880140, "UI", b"1.2\0")
    assert dataset_of(part10(name(syntax), syntax), "ADD StorageMediaFileSetUID 1.2") == name(syntax) + added


@pytest.mark.parametrize("delimited", BOTH)
def test_an_element_is_added_to_the_item_that_the_rule_names(syntax: Syntax, delimited: bool) -> None:
    def content(*items: bytes) -> bytes:
        return syntax.sequence(IMAGES, items, delimited=delimited, items_delimited=delimited)

    uid, patient_id = syntax.element(0x00081155, "UI", b"1.2.3\0"), syntax.element(PATIENT_ID, "LO", b"p1")
    before = content(uid, uid, b"")
    rules = "ADD ReferencedImageSequence__1__PatientID p1"
    assert dataset_of(part10(before, syntax), rules) == content(uid, uid + patient_id, b"")
    assert dataset_of(part10(name(syntax), syntax), rules) == name(syntax), "no sequence is made for it"


def test_what_is_added_is_in_the_dataset_s_character_set() -> None:
    for charset, text in (("ISO_IR 192", "Zoë".encode()), ("ISO_IR 100", "Zoë".encode("latin-1"))):
        declared = EXPLICIT.element(0x00080005, "CS", even(charset))
        after = dataset_of(part10(declared), "ADD PatientName Zoë")
        assert after == declared + EXPLICIT.element(NAME, "PN", even(text))
    with refused("NotEncodable", NAME):
        deidentified(part10(name(EXPLICIT)), "ADD PatientComments Zoë\nREPLACE PatientName Zoë")


def test_a_character_set_that_says_it_is_numbers_is_refused() -> None:
    """A mutant found it: pydicom reads nothing of a file whose character set has the VR of a number."""
    declared = EXPLICIT.element(0x00080005, "FD", b"ISO_IR 192")
    with refused("BadElement", 0x00080005):
        deidentified(part10(declared + name(EXPLICIT)))


@pytest.mark.parametrize("vr", ["DS", "LO"])
def test_a_character_set_in_another_vr_of_text_is_passed_on_as_what_it_is(vr: str) -> None:
    declared = EXPLICIT.element(0x00080005, vr, b"ISO_IR 192")
    out = dataset_of(part10(declared + name(EXPLICIT)))
    assert out == EXPLICIT.element(0x00080005, "CS", b"ISO_IR 192") + name(EXPLICIT)


# ------------------------------------------------------------------------------------------------- window boundaries

FILLERS = (0x00104000, 0x00184000, 0x00204000, 0x00284000)
TAIL = EXPLICIT.element(0x00880140, "UI", b"1.2.840.9\0")
CREATOR, BLOB = EXPLICIT.element(0x00430010, "LO", b"ACME"), bytes(range(1, 255)) * 400
ITEMS = [EXPLICIT.element(0x0040A160, "UT", b"text" * 20), b""]
FRAGMENTS = EXPLICIT.item(b"") + EXPLICIT.item(b"fragment") + EXPLICIT.mark(0xE0DD, 0)
RULES = "REMOVE EncapsulatedDocument\nREPLACE PersonName X\nREMOVE TextValue\nREMOVE ObservationDateTime\n"
TARGETS: dict[str, tuple[bytes, bytes]] = {
    "short, untouched": (EXPLICIT.element(0x00400280, "ST", b"ab"),) * 2,
    "short, removed": (EXPLICIT.element(0x0040A032, "DT", b"2020"), b""),
    "short, replaced": (EXPLICIT.element(0x0040A123, "PN", even(WORD)), EXPLICIT.element(0x0040A123, "PN", b"X ")),
    "long, untouched": (EXPLICIT.element(0x00420010, "UT", b"text" * 9),) * 2,
    "long, removed": (EXPLICIT.element(0x00420011, "OB", WORD.encode() * 40), b""),
    "bulk, untouched": (EXPLICIT.element(0x00660016, "OF", BLOB),) * 2,
    "bulk, removed": (EXPLICIT.element(0x00420011, "OB", BLOB), b""),
    "sequence": (EXPLICIT.sequence(0x0040A043, ITEMS), EXPLICIT.sequence(0x0040A043, [b"", b""])),
    "delimited sequence": (
        EXPLICIT.sequence(0x0040A043, ITEMS, delimited=True, items_delimited=True),
        EXPLICIT.sequence(0x0040A043, [b"", b""], delimited=True, items_delimited=True),
    ),
    "private": (CREATOR + EXPLICIT.element(0x00431001, "UN", b"abcd"),) * 2,
    "private bulk": (CREATOR + EXPLICIT.element(0x00431001, "UN", BLOB),) * 2,
}
PIXEL_TARGETS = {
    "pixels": EXPLICIT.element(PIXELS, "OW", b"pixels"),
    "bulk pixels": EXPLICIT.element(PIXELS, "OW", BLOB),
    "fragments": EXPLICIT.element(PIXELS, "OB", FRAGMENTS, UNDEFINED),
    "bulk fragments": EXPLICIT.element(PIXELS, "OB", EXPLICIT.item(BLOB) + EXPLICIT.mark(0xE0DD, 0), UNDEFINED),
}


def filled_to(offset: int) -> bytes:
    """Elements that end at an offset of the file."""
    content, wanted = b"", offset - len(part10(b""))
    for tag in FILLERS:
        size = min(wanted - len(content) - 8, 0xFF00)
        if 0 < wanted - len(content) - 8 - size < 20:
            size -= 20
        if size >= 0:
            content += EXPLICIT.element(tag, "LT", b"x" * size)
    assert len(content) == wanted
    return content


@pytest.mark.parametrize("boundary", [WINDOW, WINDOW + len(part10(b"")), 4 * WINDOW])
@pytest.mark.parametrize("target", TARGETS)
def test_an_element_may_lie_across_a_window_s_end_in_any_way(target: str, boundary: int) -> None:
    before, after = TARGETS[target]
    pixels = EXPLICIT.element(PIXELS, "OW", bytes(50))
    for shift in range(-len(before) - 8 if len(before) < 200 else -60, 9):
        filler = filled_to(boundary + shift)
        deid, data = deidentifier(RULES), part10(filler + before + TAIL + pixels)
        outputs = {split_part10(deid.deidentify(data).tobytes())[1] for _ in range(3)}
        assert outputs == {filler + after + TAIL + pixels}, f"{target} at {shift}"


@pytest.mark.parametrize("boundary", [WINDOW, WINDOW + len(part10(b"")), 4 * WINDOW])
@pytest.mark.parametrize("target", PIXEL_TARGETS)
def test_pixel_data_may_begin_anywhere_at_a_window_s_end(target: str, boundary: int) -> None:
    pixels, behind = PIXEL_TARGETS[target], EXPLICIT.element(0xFFFAFFFA, "SQ")
    for shift, end in itertools.product(range(-40, 9), (b"", behind, b"\0\0\0")):
        filler = filled_to(boundary + shift)
        # video, whose fragments are passed on as they are
        data = part10(filler + pixels + end, EXPLICIT if "fragments" not in target else "1.2.840.10008.1.2.4.100")
        deid = deidentifier(RULES)
        outputs = {split_part10(deid.deidentify(data).tobytes())[1] for _ in range(3)}
        assert outputs == {filler + pixels + (end if end == behind else b"")}, f"{target} at {shift}"


def test_a_long_text_is_held_and_a_long_value_of_bytes_is_streamed(syntax: Syntax) -> None:
    text = syntax.element(0x0040A160, "UT", b"text" * BULK_BYTES)
    blob = syntax.element(0x00420011, "OB", BLOB * 10)
    assert dataset_of(part10(text + blob, syntax)) == text + blob


# ------------------------------------------------------------------------------------------------- one after the other


def variants() -> list[bytes]:
    """Images that differ from each other in ways that a study's do, and in some that only a hostile one's would."""
    ds = read(bundled("CT_small.dcm"))
    found: list[bytes] = []
    edits: list[Callable[[], object]] = [
        lambda: setattr(ds, "InstanceNumber", len(found)),
        lambda: setattr(ds, "SOPInstanceUID", f"1.2.{len(found)}"),
        lambda: ds.pop("PatientID", None),
        lambda: setattr(ds, "SpecificCharacterSet", "ISO_IR 192"),
        lambda: setattr(ds, "PatientName", "Müller^Ä"),
        lambda: ds.pop("SpecificCharacterSet", None) and setattr(ds, "PatientName", "Muller"),
        lambda: setattr(ds, "Manufacturer", "another"),
        lambda: ds.add_new(0x00420011, "OB", bytes(90_000)),
        lambda: setattr(ds, "StudyDate", "20240229"),
        lambda: setattr(ds, "PatientID", "back again"),
    ]
    for _, edit in itertools.product(range(3), edits):
        edit()
        ds.save_as(out := io.BytesIO())
        found.append(out.getvalue())
    return found


@pytest.mark.parametrize(
    "rules",
    [
        "",
        "REMOVE EncapsulatedDocument\nJITTER select:VR:DA var:jitter\nREPLACE PatientName Zoe",
        "ADD PatientIdentityRemoved YES\nADD PatientID p1\nREPLACE select:VR:UI deid_func:pydicom_uuid\nREMOVE ALL",
        'REMOVE select:private:yes\nKEEP (0009,"GEMS_IDEN_01",04)\nBLANK contains:Patient',
        "%header\nREPLACE values:n X\n%values n\nFIELD PatientName\nSPLIT PatientID by=' '",
    ],
)
def test_an_image_comes_out_the_same_whatever_came_before_it(rules: str) -> None:
    seasoned = deidentifier(rules)
    for data in variants():
        assert seasoned.deidentify(data).tobytes() == deidentified(data, rules)


def test_one_deidentifier_serves_every_syntax() -> None:
    recipe = parse_recipe("FORMAT dicom\n%header\nREPLACE PatientName X\nADD Modality CT\n")
    deid = Deidentifier(recipe, Pseudonyms(KEY), VARIABLES, [Identifier("name", WORD)])
    outputs = [read(deid.deidentify(part10(name(s), s)).tobytes()) for s in SYNTAXES * 3]
    assert {(str(output.PatientName), output.Modality, len(output)) for output in outputs} == {("X", "CT", 2)}
