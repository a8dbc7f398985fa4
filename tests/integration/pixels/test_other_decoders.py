"""Cleaned images in dcmtk, which decodes them by itself: the pixels are those that pydicom reads."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from sendit.deid import deidentify
from sendit.deid.burned_in import detector
from sendit.deid.burned_in.detector import Detector
from tests.support.burned_in import KEY, VARIABLES, encoded, image
from tests.unit.deid.burned_in.test_encoded_images import compressed, encoded_without_loss
from tests.unit.deid.burned_in.test_native_images import gray

ROOT = Path(__file__).parents[3]
PROGRAMS = {
    JPEGBaseline8Bit: ("dcmdjpeg", "+px"),
    JPEGLosslessSV1: ("dcmdjpeg",),
    JPEGLSLossless: ("dcmdjpls",),
    RLELossless: ("dcmdrle",),
    DeflatedExplicitVRLittleEndian: ("dcmconv", "+te"),
    ExplicitVRLittleEndian: ("dcmconv", "+ti"),
}


@pytest.fixture(autouse=True)
def finds_white(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    own = Detector("tests.support.detectors:FindsWhite")
    monkeypatch.setattr(detector, "_SHARED", own)
    yield
    own.end()


def made(syntax: str, frames: int, dtype: str) -> bytes:
    """A cleaned image."""
    pixels = gray(48, 64, frames=frames, dtype=dtype, white=255 if dtype == "uint8" else 4000)
    if syntax == JPEGBaseline8Bit:
        coded = [bytes(imagecodecs.jpeg8_encode(frame, level=92)) for frame in pixels]
        ds = compressed(pixels, syntax, coded)
    elif syntax in (JPEGLosslessSV1, JPEGLSLossless, RLELossless):
        ds = encoded_without_loss(pixels, syntax)
    else:
        ds = image(pixels, syntax=syntax)
    ready = deidentify(encoded(ds), key=KEY, variables=VARIABLES)
    assert ready.pixels is not None and ready.pixels.masks
    return ready.tobytes()


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(
    ("syntax", "dtype"),
    [(JPEGBaseline8Bit, "uint8")]
    + [(syntax, dtype) for syntax in PROGRAMS if syntax != JPEGBaseline8Bit for dtype in ("uint8", "uint16")],
)
def test_dcmtk_reads_the_pixels_that_pydicom_reads(syntax: str, dtype: str, frames: int, tmp_path: Path) -> None:
    file, plain = tmp_path / "cleaned.dcm", tmp_path / "plain.dcm"
    file.write_bytes(made(syntax, frames, dtype))
    program, *options = PROGRAMS[syntax]  # type: ignore[index]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([program, *options, str(file), str(plain)], check=True, capture_output=True, env=environment)
    one, other = dcmread(io.BytesIO(file.read_bytes())), dcmread(plain)
    assert other.file_meta.TransferSyntaxUID.is_compressed is False or syntax == DeflatedExplicitVRLittleEndian
    assert (np.abs(one.pixel_array.astype(int) - other.pixel_array) <= (1 if syntax == JPEGBaseline8Bit else 0)).all()
