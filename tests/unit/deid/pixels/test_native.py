"""Pixels without compression end with the last pixel, whatever their form."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sendit.deid import Identifier
from tests.support.codestreams import TEXT
from tests.support.phantoms import WORD, leaks_in
from tests.support.streams import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    SYNTAXES,
    Syntax,
    deidentified,
    deidentifier,
    even,
    part10,
    refused,
    split_part10,
)

PIXEL_DATA = 0x7FE00010


def image(
    value: bytes,
    syntax: Syntax = EXPLICIT,
    *,
    tag: int = PIXEL_DATA,
    vr: str = "OW",
    rows: int = 3,
    columns: int = 3,
    bits: int = 8,
    samples: int = 1,
    frames: str = "",
    photometric: str = "MONOCHROME2",
    behind: bytes = b"",
) -> bytes:
    """A file of little else than pixels."""
    order = "little" if syntax.order == "<" else "big"

    def short(tag: int, number: int) -> bytes:
        return syntax.element(tag, "US", number.to_bytes(2, order))

    content = short(0x00280002, samples) + syntax.element(0x00280004, "CS", even(photometric))
    content += syntax.element(0x00280008, "IS", even(frames)) if frames else b""
    content += short(0x00280010, rows) + short(0x00280011, columns) + short(0x00280100, bits)
    return part10(content + syntax.element(tag, vr, value) + behind, syntax)


FORMS: dict[str, dict[str, Any]] = {
    "8 bits": {},
    "12 bits in 16": {"bits": 16},
    "packed bits": {"bits": 1, "rows": 5, "columns": 7, "frames": "3"},
    "12 bits, packed": {"bits": 12},
    "32 bits": {"bits": 32, "rows": 2},
    "colour": {"samples": 3, "photometric": "RGB"},
    "frames": {"frames": "11 "},
    "halved chrominance": {"samples": 3, "photometric": "YBR_FULL_422", "columns": 4},
    "floats": {"tag": 0x7FE00008, "vr": "OF", "bits": 16},
    "doubles": {"tag": 0x7FE00009, "vr": "OD", "bits": 64},
}


def size(tag: int = PIXEL_DATA, photometric: str = "", **form: Any) -> int:
    """Bytes of the pixels."""
    bits = {0x7FE00008: 32, 0x7FE00009: 64}.get(tag, form.get("bits", 8))
    pixels = form.get("rows", 3) * form.get("columns", 3) * form.get("samples", 1) * int(form.get("frames", 1))
    whole = math.ceil(pixels * bits / 8)
    return whole * 2 // 3 if photometric == "YBR_FULL_422" else whole


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.uid)
@pytest.mark.parametrize("name", FORMS)
def test_what_stands_behind_the_last_pixel_goes(name: str, syntax: Syntax) -> None:
    form = FORMS[name]
    pixels = bytes(number % 251 for number in range(size(**form)))
    padded = even(pixels, b"\0")
    behind = syntax.element(0xFFFAFFFA, "SQ") if name == "frames" else b""
    for tail in (b"", even(TEXT), bytes(3000)):
        out = deidentified(image(even(pixels + tail, b"\0"), syntax, behind=behind, **form))
        assert out == deidentified(image(padded, syntax, behind=behind, **form))
        assert padded + behind == split_part10(out)[1][-len(padded + behind) :]


def test_padding_is_zero() -> None:
    assert deidentified(image(bytes(9) + b"K")) == deidentified(image(bytes(10)))


def test_in_words_of_the_other_byte_order_the_padding_stands_before_the_last_pixel() -> None:
    pixels = bytes(range(10))
    assert split_part10(deidentified(image(pixels, BIG)))[1].endswith(pixels)


def test_too_few_pixels_stay_as_they_are() -> None:
    assert split_part10(deidentified(image(b"123456")))[1].endswith(b"123456")


def test_chrominance_that_is_there_in_full_stays() -> None:
    whole = bytes(range(36))
    data = image(whole, samples=3, columns=4, photometric="YBR_FULL_422")
    assert split_part10(deidentified(data))[1].endswith(whole)


def test_a_large_tail_is_cut_from_a_file_on_disk(tmp_path: Any) -> None:
    path = tmp_path / "in.dcm"
    path.write_bytes(image(bytes(512 * 512 * 2) + even(TEXT) * 5000, bits=16, rows=512, columns=512))
    identified = deidentifier().deidentify(path)
    size_said = identified.size
    identified.write(tmp_path / "out.dcm")
    out = (tmp_path / "out.dcm").read_bytes()
    assert len(out) == size_said
    assert TEXT not in out
    assert split_part10(out)[1].endswith(bytes(512 * 512 * 2))


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.uid)
@pytest.mark.parametrize("missing", [{"rows": 0}, {"bits": 0}, {"frames": "99999999"}])
def test_pixels_of_an_unknown_size_are_searched(missing: dict[str, Any], syntax: Syntax) -> None:
    data = image(bytes(3 << 20) + even(f"read by {WORD}"), syntax, **missing)
    assert leaks_in(deidentified(data))
    with refused("ResidualIdentifier", PIXEL_DATA):
        deidentified(data, "", [Identifier("name", WORD)])


def test_a_dataset_out_of_order_loses_its_tail_too() -> None:
    content = split_part10(image(bytes(9) + even(TEXT) + b"K"))[1]
    disordered = part10(content + EXPLICIT.element(0x00080060, "CS", b"CT"))
    out = deidentified(disordered)
    assert TEXT not in out
    assert out.endswith(EXPLICIT.element(PIXEL_DATA, "OW", bytes(10)))


def test_an_implicit_head_says_the_new_length() -> None:
    out = split_part10(deidentified(image(bytes(9) + even(TEXT) + b"K", IMPLICIT)))[1]
    assert out.endswith(IMPLICIT.element(PIXEL_DATA, "OW", bytes(10)))


def test_frames_of_which_the_number_is_text_are_not_cut_off() -> None:
    """One frame is what can be written for such a number; in later images it comes out of a shared run."""
    deid = deidentifier("REMOVE PatientName")
    for _ in range(3):
        deid.deidentify(image(bytes(9) + b"\0", frames="1 frame ")).close()
        with refused("BadPixelData"):
            deid.deidentify(image(bytes(range(27)) + b"\0", frames="3 frames"))


def test_an_image_that_only_resembles_the_one_before_it_is_looked_at_itself() -> None:
    one, whole = deidentifier(), image(bytes(range(9)) + b"\0")
    longer = image(bytes(9) + b"\0" + WORD.encode())
    for other in (longer, image(bytes(10), rows=2), image(bytes(10), columns=2)):
        one.deidentify(whole).close()
        found = split_part10(one.deidentify(other).tobytes())[1]
        assert found == split_part10(deidentified(other))[1]
        assert len(found) < len(split_part10(other)[1])
