"""Long private values are streamed past, wherever they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendit.deid import read_header
from sendit.deid.stream.encodings import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from sendit.deid.stream.sources import BytesSource
from sendit.deid.stream.streaming import sequence_end
from sendit.errors import DataFault
from tests.support.streams import BIG, EXPLICIT, IMPLICIT, UNDEFINED, Syntax, dataset_of, even, part10

SYNTAXES = [(EXPLICIT, EXPLICIT_LE), (IMPLICIT, IMPLICIT_LE), (BIG, EXPLICIT_BE)]
CT = EXPLICIT.element(0x00080060, "CS", b"CT")
NAME = EXPLICIT.element(0x00100010, "PN", b"Doe^Jane")
PIXELS = EXPLICIT.element(0x7FE00010, "OW", bytes(64))
RULES = "REMOVE select:private:yes"


def nested(syntax: Syntax, *, delimited: bool) -> bytes:
    text = syntax.element(0x00204000, "LT", even("knee"))
    inner = syntax.sequence(0x00081140, [text, b""], delimited=True, items_delimited=delimited)
    fragments = syntax.element(0x00420011, "OB", bytes(10))
    return syntax.sequence(0x00081110, [inner + fragments, text], delimited=True, items_delimited=not delimited)


@pytest.mark.parametrize("delimited", [False, True])
@pytest.mark.parametrize(("syntax", "encoding"), SYNTAXES)
def test_the_end_of_a_sequence_is_found_by_its_heads(syntax: Syntax, encoding: object, delimited: bool) -> None:
    data = nested(syntax, delimited=delimited)
    begin = 8 if syntax.implicit else 12
    assert sequence_end(BytesSource(data + b"behind it"), begin, encoding) == len(data)  # type: ignore[arg-type]
    for cut in range(begin, len(data), 7):
        with pytest.raises(DataFault):
            sequence_end(BytesSource(data[:cut]), begin, encoding)  # type: ignore[arg-type]


@pytest.mark.parametrize("behind", [b"", EXPLICIT.element(0xFFFCFFFC, "OB", bytes(4))])
def test_a_long_private_sequence_of_undefined_length_behind_the_pixels_goes(behind: bytes, tmp_path: Path) -> None:
    item = EXPLICIT.item(
        EXPLICIT.element(0x7FE10010, "LO", b"ACME") + EXPLICIT.element(0x7FE11002, "OB", bytes(60 << 20))
    )
    private = EXPLICIT.element(0x7FE11001, "SQ", item + EXPLICIT.mark(0xE0DD, 0), UNDEFINED)
    path = tmp_path / "long.dcm"
    path.write_bytes(part10(CT + NAME + PIXELS + EXPLICIT.element(0x7FE10010, "LO", b"ACME") + private + behind))
    assert dataset_of(path, RULES) == CT + NAME + PIXELS


@pytest.mark.parametrize("vr", ["OB", "UN"])
def test_long_private_values_before_what_is_asked_for_are_passed_over(vr: str, tmp_path: Path) -> None:
    long = EXPLICIT.element(0x00091002, vr, bytes(60 << 20))
    path = tmp_path / "long.dcm"
    path.write_bytes(part10(CT + EXPLICIT.element(0x00090010, "LO", b"ACME") + long + NAME + PIXELS))
    assert read_header(path).text("PatientName") == "Doe^Jane"
    assert dataset_of(path, RULES) == CT + NAME + PIXELS
