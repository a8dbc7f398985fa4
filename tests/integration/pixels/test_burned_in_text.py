"""The shipped detector, in its process: what a person could read in an image is gone from what is delivered."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from sendit.deid import deidentify
from tests.support.burned_in import CR, KEY, US, VARIABLES, encoded, image, speckle, with_text
from tests.support.phantoms import bundled

pytestmark = pytest.mark.xdist_group("pixels")  # one detector for all of them
LINES = [(12, 8, "MUELLER ANNA"), (200, 8, "04711823"), (12, 214, "DOB 12.03.1956")]


def cleaned(source: Path | bytes) -> tuple[Any, Any]:
    made = deidentify(source, key=KEY, variables=VARIABLES)
    assert made.pixels is not None
    return dcmread(io.BytesIO(made.tobytes())), made.pixels


def ink(before: Any, after: Any) -> Any:
    """Where text was drawn."""
    return before != after


@pytest.mark.parametrize("frames", [1, 20])
@pytest.mark.parametrize("sop_class", [US, CR])
def test_drawn_names_are_blanked_and_little_else(frames: int, sop_class: str) -> None:
    plain = np.stack([speckle(seed=seed) for seed in range(frames)])
    drawn = np.stack([with_text(frame, LINES) for frame in plain])
    where = ink(plain[0], drawn[0])
    if sop_class == CR:
        plain, drawn = plain.astype(np.uint16) * 16, drawn.astype(np.uint16) * 16
    more = {"BitsStored": 12} if sop_class == CR else {}
    after, record = cleaned(encoded(image(drawn, sop_class, BurnedInAnnotation="NO", **more)))
    pixels = after.pixel_array.reshape(drawn.shape)
    assert (pixels[:, where] == 0).mean() >= 0.98
    assert after.BurnedInAnnotation == "NO" and after.ImageType[0] == "DERIVED"
    assert sum(mask.box.area for mask in record.masks) < 0.2 * where.size
    assert "PP-OCRv4" in record.detector


def test_text_of_one_frame_of_a_cine_loop_is_found() -> None:
    frames = np.stack([speckle(seed=seed) for seed in range(32)])
    plain = frames[21].copy()
    frames[21] = with_text(plain, [(12, 214, "HADDAD LAYLA")])
    after, _ = cleaned(encoded(image(frames)))
    assert (after.pixel_array[21][ink(plain, frames[21])] == 0).mean() >= 0.98


def test_a_name_of_two_large_letters_is_no_anatomy() -> None:
    plain = speckle(480, 640)
    drawn = with_text(plain, [(300, 220, "XU")], size=60)
    after, _ = cleaned(encoded(image(drawn[None])))
    assert (after.pixel_array[ink(plain, drawn)] == 0).mean() >= 0.98


def test_a_line_loses_its_first_and_its_last_letter() -> None:
    plain = speckle(512, 512, seed=8)
    drawn = with_text(plain, [(40, 20, "I. MUELLER-JANSEN J"), (200, 470, "1 04711823 7")], size=13, value=170)
    after, _ = cleaned(encoded(image(drawn[None])))
    assert (after.pixel_array[ink(plain, drawn)] == 0).mean() >= 0.98


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm"])
def test_anatomy_is_no_text(name: str, tmp_path: Path) -> None:
    recipe = tmp_path / "ours.recipe"
    recipe.write_text("FORMAT dicom\nPROFILE Basic + Clean Pixel Data\n%filter graylist\nLABEL all\ndetect text\n")
    made = deidentify(bundled(name), recipe=recipe, key=KEY, variables=VARIABLES)
    assert made.pixels is not None and made.pixels.masks == ()


def test_a_cine_loop_is_delivered_though_more_is_found_once_its_words_are_gone() -> None:
    after, record = cleaned(bundled("examples_ybr_color.dcm"))
    assert record.frames == 30 and len(record.masks) > 4 and after.BurnedInAnnotation == "NO"


@pytest.mark.parametrize("name", ["examples_rgb_color.dcm", "examples_palette.dcm", "examples_jpeg2k.dcm"])
def test_real_ultrasound_loses_its_words_and_keeps_its_picture(name: str) -> None:
    after, record = cleaned(bundled(name))
    blank = np.zeros((record.rows, record.columns), bool)
    for box in (mask.box for mask in record.masks):
        blank[box.top : box.bottom, box.left : box.right] = True
    assert len(record.masks) >= 8 and 0.05 < blank.mean() < 0.22
    assert after.pixel_array.any()


def test_a_program_that_sees_no_such_image_loads_nothing_of_it() -> None:
    code = (
        "import sys\nfrom sendit.deid import deidentify\n"
        f"deidentify({str(bundled('CT_small.dcm'))!r}, key=bytes(16), variables={VARIABLES!r}).tobytes()\n"
        "print(sorted({'onnxruntime', 'cv2', 'imagecodecs', 'sendit.deid.burned_in.cleaning'} & set(sys.modules)))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
