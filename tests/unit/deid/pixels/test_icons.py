"""The picture of an icon is treated as that of the image, at any depth and in any encoding."""

from __future__ import annotations

import pytest

from tests.support.codestreams import JPEG_PLANTS, TEXT, dataset, encapsulated, frames_of
from tests.support.streams import (
    BIG,
    EXPLICIT,
    SYNTAXES,
    Syntax,
    deidentified,
    deidentifier,
    even,
    part10,
    split_part10,
)

PIXEL_DATA, ICON_IMAGE_SEQUENCE, REFERENCED_IMAGE_SEQUENCE = 0x7FE00010, 0x00880200, 0x00081140
JPEG = "1.2.840.10008.1.2.4.50"


def icon(value: bytes, syntax: Syntax, size: int | None = None) -> bytes:
    """An item of three by three pixels."""
    order = "little" if syntax.order == "<" else "big"
    numbers = {0x00280002: 1, 0x00280010: 3, 0x00280011: 3, 0x00280100: 8}
    content = b"".join(syntax.element(tag, "US", number.to_bytes(2, order)) for tag, number in numbers.items())
    return content + syntax.element(PIXEL_DATA, "OB", value, size)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.uid)
@pytest.mark.parametrize("delimited", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("vr", ["SQ", "UN"])
def test_bytes_behind_the_pixels_of_an_icon_go(syntax: Syntax, delimited: bool, depth: int, vr: str) -> None:
    if vr == "UN" and syntax is BIG:
        return

    def nested(value: bytes, inner: Syntax, delimited: bool) -> bytes:
        content = icon(value, inner)
        for level in range(depth):
            last = level == depth - 1
            tag = ICON_IMAGE_SEQUENCE if last else REFERENCED_IMAGE_SEQUENCE
            written, around = (vr, syntax) if last else ("SQ", inner)
            content = around.sequence(tag, [content], delimited=delimited, items_delimited=delimited, vr=written)
        return content

    inner = SYNTAXES[0] if vr == "UN" else syntax
    pixels = bytes(range(9)) + b"\0"
    behind = syntax.element(0x00880906, "ST", b"behind")
    out = deidentified(
        part10(nested(pixels[:9] + TEXT + b"K" * (1 - len(TEXT) % 2), inner, delimited) + behind, syntax)
    )
    assert TEXT not in out
    assert split_part10(out)[1] == nested(pixels, inner, False) + behind
    untouched = part10(nested(pixels, inner, delimited) + behind, syntax)
    assert split_part10(deidentified(untouched))[1] == split_part10(untouched)[1]


def test_a_comment_in_a_compressed_icon_goes_and_is_counted() -> None:
    (stream,) = frames_of(dataset("SC_rgb_small_odd_jpeg.dcm"))
    planted = JPEG_PLANTS["Exif"](JPEG_PLANTS["COM"](stream))
    value = encapsulated([[even(planted, b"\0")]])
    data = EXPLICIT.sequence(ICON_IMAGE_SEQUENCE, [icon(value, EXPLICIT, 0xFFFFFFFF)])
    image = deidentifier().deidentify(part10(data, JPEG))
    actions = {each.action for each in image.done}
    out = image.tobytes()
    assert TEXT not in out
    assert {"PIXELS_COMMENT", "PIXELS_APPLICATION"} <= actions
    clean = icon(encapsulated([[even(stream, b"\0")]]), EXPLICIT, 0xFFFFFFFF)
    assert split_part10(out)[1] == EXPLICIT.sequence(ICON_IMAGE_SEQUENCE, [clean])
