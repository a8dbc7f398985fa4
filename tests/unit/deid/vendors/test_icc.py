"""ICC profiles keep their colours and lose their texts."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image, ImageCms
from pydicom import dcmread

from sendit.deid import deidentify
from sendit.deid.vendors.icc import without_texts
from tests.support.streams import BY_NAME, KEY, VARIABLES, Syntax, even, part10

TEXT = b"Calibrated by Zqcanary on 17 June 2011"
US, OPTICAL_PATH_SEQUENCE, ICC_PROFILE = "1.2.840.10008.5.1.4.1.1.6.1", 0x00480105, 0x00282000


def srgb() -> bytes:
    return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


def with_text(profile: bytes, signature: bytes, kind: bytes = b"text") -> bytes:
    """The profile with one more tag, and one whose texts are said elsewhere."""
    (count,) = struct.unpack_from(">I", profile, 128)
    table = profile[132 : 132 + 12 * count]
    moved = b"".join(
        struct.pack(">4sII", name, begin + 12, size) for name, begin, size in struct.iter_unpack(">4sII", table)
    )
    data = kind + bytes(4) + TEXT + b"\0" * 6
    added = struct.pack(">4sII", signature, len(profile) + 12, len(data))
    body = profile[4:128] + struct.pack(">I", count + 1) + moved + added + profile[132 + 12 * count :] + data
    return struct.pack(">I", len(body) + 4) + body


def delivered(profile: bytes, syntax: Syntax, *, nested: bool) -> bytes:
    """What becomes of it in an image."""
    uids = {0x00080016: US, 0x00080018: "1.2.3.4", 0x0020000D: "1.2.3", 0x0020000E: "1.2.3.1"}
    elements = {tag: syntax.element(tag, "UI", even(uid, b"\0")) for tag, uid in uids.items()}
    element = syntax.element(ICC_PROFILE, "OB", even(profile, b"\0"))
    elements[ICC_PROFILE] = element
    if nested:
        del elements[ICC_PROFILE]
        elements[OPTICAL_PATH_SEQUENCE] = syntax.sequence(OPTICAL_PATH_SEQUENCE, [element])
    data = part10(b"".join(elements[tag] for tag in sorted(elements)), syntax)
    output = deidentify(data, key=KEY, variables=VARIABLES, recipe=RECIPE).tobytes()
    ds = dcmread(io.BytesIO(output))
    ds = ds.OpticalPathSequence[0] if nested else ds
    return bytes(ds.get("ICCProfile", b""))


RECIPE = "limited-dataset"


def colours(profile: bytes) -> bytes:
    """What a picture becomes when it is drawn with the profile."""
    picture = Image.frombytes("RGB", (16, 16), bytes(range(256)) * 3)
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    result = ImageCms.applyTransform(picture, transform)
    assert result is not None
    return result.tobytes()


@pytest.mark.parametrize("nested", [False, True], ids=["root", "item"])
@pytest.mark.parametrize("syntax", BY_NAME.values(), ids=BY_NAME)
def test_a_profile_gives_the_same_colours_and_says_nothing(syntax: Syntax, nested: bool) -> None:
    for signature, kind in ((b"dmnd", b"text"), (b"rTRC", b"text"), (b"priv", b"curv"), (b"targ", b"text")):
        found = delivered(with_text(srgb(), signature, kind), syntax, nested=nested)
        assert b"Zqcanary" not in found
        assert b"2011" not in found
        assert colours(found) == colours(srgb())
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(found))).strip() == "REMOVED"


def test_versions_two_and_four_stay_valid() -> None:
    for version in (2, 4):
        profile = bytearray(with_text(srgb(), b"meta"))
        profile[8] = version
        found = without_texts(bytes(profile))
        assert (found[8], struct.unpack(">I", found[:4])[0]) == (version, len(found))
        assert colours(found) == colours(srgb())
        assert without_texts(found) == found


@pytest.mark.parametrize(
    "broken",
    [b"", TEXT * 9, srgb()[:140], srgb()[:36] + b"none" + srgb()[40:], bytes(4096)],
    ids=["empty", "text", "cut", "no signature", "zeros"],
)
def test_what_is_no_profile_goes(broken: bytes) -> None:
    assert without_texts(broken) == b""


def test_no_cut_profile_is_followed_beyond_its_end() -> None:
    whole = with_text(srgb(), b"dmdd")
    for size in range(0, len(whole), 37):
        assert b"Zqcanary" not in without_texts(whole[:size])
