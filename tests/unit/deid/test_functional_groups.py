"""Functional groups of many frames: what is done to long data in parts comes to the same, and a row stays small."""

from __future__ import annotations

import json

import pytest

from sendit.deid import Deidentifier, Identifier, Pseudonyms, description, load_recipe
from sendit.deid.identifiers import residuals
from sendit.deid.image import DeidentifiedImage
from sendit.deid.recipe.recipe import parse_recipe
from sendit.deid.stream import header, sources
from tests.support.streams import EXPLICIT, UNDEFINED, even, part10

FRAMES = 600
KNOWN = (Identifier("name", "Okonkwo"), Identifier("id", "MRN773301"), Identifier("date", "19430517"))


def frame(number: int, comment: bytes) -> bytes:
    content = EXPLICIT.element(0x00189074, "DT", b"20200131101112.%06d" % number)
    content += EXPLICIT.element(0x00189151, "DT", b"20200131101112.%06d" % number)
    content += EXPLICIT.element(0x00209158, "LT", even(comment))
    position = EXPLICIT.element(0x00200032, "DS", even(b"1\\2\\%.1f" % number))
    groups = EXPLICIT.sequence(0x00209111, [content], delimited=number % 2 == 0, items_delimited=number % 3 == 0)
    return groups + EXPLICIT.sequence(0x00209113, [position])


def image(*, delimited: bool, comments: dict[int, bytes] | None = None) -> bytes:
    frames = [frame(number, (comments or {}).get(number, b"")) for number in range(FRAMES)]
    return part10(
        EXPLICIT.element(0x00080016, "UI", even(b"1.2.840.10008.5.1.4.1.1.4.1", b"\0"))
        + EXPLICIT.element(0x00080018, "UI", b"1.2.3\0")
        + EXPLICIT.element(0x00080060, "CS", b"MR")
        + EXPLICIT.sequence(0x52009230, frames, delimited=delimited)
    )


def deidentified(data: bytes) -> DeidentifiedImage:
    variables = {"entity_id": "E1", "item_id": "I1", "jitter": 5}
    return Deidentifier(load_recipe("research"), Pseudonyms(b"k" * 16), variables, KNOWN).deidentify(data)


@pytest.fixture
def everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residuals, "LONG", 20_000)
    monkeypatch.setattr(residuals, "OVERLAP", 500)
    monkeypatch.setattr("sendit.deid.verify.LONG", 20_000)


@pytest.mark.parametrize("delimited", [False, True])
def test_what_is_searched_in_parts_comes_to_the_same(delimited: bool, request: pytest.FixtureRequest) -> None:
    data = image(delimited=delimited)
    whole = deidentified(data).tobytes()
    request.getfixturevalue("everything_is_long")
    assert deidentified(data).tobytes() == whole
    assert b"20200205101112.000599" in whole


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("text", [b"OKONKWO", b"mrn773301", b"\x1b(JOkon\x1b(Bkwo", b"O\0k\0o\0n\0k\0w\0o\0"])
@pytest.mark.parametrize("number", [0, 299, FRAMES - 1])
def test_an_identifier_is_found_in_any_frame(number: int, text: bytes) -> None:
    """The recipe keeps the comment, so that only the proof can find what is in it."""
    recipe = parse_recipe("FORMAT dicom\n%header\nKEEP ALL")
    data = image(delimited=False, comments={number: text})
    done = Deidentifier(recipe, Pseudonyms(b"k" * 16), {}, KNOWN).deidentify(data)
    assert text not in done.tobytes()
    assert [one.action for one in done.done if one.action == "EMPTIED"] == ["EMPTIED"]


def test_a_window_that_was_too_small_grows_faster_where_it_is_long() -> None:
    sizes = [sources.WINDOW]
    while sizes[-1] < sources.HEADER_LIMIT:
        sizes.append(sources.larger(sizes[-1]))
    assert sizes == [2**14, 2**16, 2**18, 2**22, sources.HEADER_LIMIT]


@pytest.mark.parametrize("delimited", [False, True])
def test_a_long_element_is_described_as_bulk_data_is(delimited: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    data = image(delimited=delimited)
    before = json.loads(deidentified(data).instance.header_json)
    monkeypatch.setattr(description, "LONG_BYTES", 10_000)
    instance = deidentified(data).instance
    after = json.loads(instance.header_json)
    assert len(before["52009230"]["Value"]) == FRAMES
    assert after == before | {"52009230": {"vr": "SQ"}}
    assert (instance.modality, instance.sop_class_uid) == ("MR", "1.2.840.10008.5.1.4.1.1.4.1")


def test_a_long_private_sequence_of_undefined_length_is_passed_over_by_the_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item = EXPLICIT.item(EXPLICIT.element(0x00291002, "OB", bytes(70_000)))
    private = EXPLICIT.element(0x00291001, "SQ", item * 4 + EXPLICIT.mark(0xE0DD, 0), UNDEFINED)
    name = EXPLICIT.element(0x00100010, "PN", b"Doe^Jane")
    data = part10(
        EXPLICIT.element(0x00080060, "CS", b"CT") + name + private + EXPLICIT.element(0x00400009, "SH", b"AB")
    )
    monkeypatch.setattr(header, "HEADER_LIMIT", 100_000)
    found = header.read_header(data)
    assert (found.text("PatientName"), found.text(0x00400009)) == ("Doe^Jane", "AB")
    assert 0x00291001 not in found
