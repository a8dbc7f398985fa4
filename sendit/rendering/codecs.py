"""imagecodecs as a plug-in of pydicom's decoders, for every compressed transfer syntax that it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import imagecodecs
from pydicom import uid
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

LABEL = "imagecodecs"
JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)

DECODER_DEPENDENCIES = dict.fromkeys((*JPEG, *JPEG_LS, *JPEG_2000), ("imagecodecs",))
"""pydicom asks a plug-in module for this name."""


def is_available(syntax: str) -> bool:
    """Return whether the plug-in decodes a transfer syntax; pydicom asks."""
    return syntax in DECODER_DEPENDENCIES


def register() -> None:
    """Offer the plug-in to pydicom; once in a process, because pydicom takes no name twice."""
    for syntax in DECODER_DEPENDENCIES:
        decoder = get_decoder(syntax)
        decoder.add_plugin(LABEL, (__name__, "_decode_frame"))


def _decode_frame(src: bytes, runner: DecodeRunner) -> bytearray:
    """Decode one frame; pydicom calls it. What it raises, pydicom takes for "not by this plug-in"."""
    decode, container = _how(runner.transfer_syntax)
    pixels = decode(src, runner)
    runner.set_option("bits_allocated", pixels.dtype.itemsize * 8)
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    if container is not None:
        container(src, runner)
    return bytearray(pixels.tobytes())


Decode = Callable[[bytes, DecodeRunner], Any]


def _how(syntax: str) -> tuple[Decode, Callable[[bytes, DecodeRunner], None] | None]:
    if syntax in JPEG:
        return _jpeg, None
    if syntax in JPEG_LS:
        return lambda src, runner: imagecodecs.jpegls_decode(src), None
    return lambda src, runner: imagecodecs.jpeg2k_decode(src), _of_jpeg_2000


def _jpeg(src: bytes, runner: DecodeRunner) -> Any:
    """Return grey levels, or RGB: libjpeg is told what the codestream holds, since its own guess knows no DICOM."""
    if runner.samples_per_pixel == 1:
        return imagecodecs.jpeg_decode(src)
    space = "RGB" if _holds_rgb(src, runner) else "YCBCR"
    pixels = imagecodecs.jpeg_decode(src, colorspace=space, outcolorspace="RGB")
    runner.set_option("photometric_interpretation", PhotometricInterpretation.RGB)
    return pixels


def _holds_rgb(src: bytes, runner: DecodeRunner) -> bool:
    """Return what the markers say, or else Photometric Interpretation; lossless JPEG does not transform colours."""
    head = src[:4096]
    adobe = head.find(b"\xff\xee\x00\x0eAdobe")
    if adobe >= 0 and adobe + 15 < len(head):
        return head[adobe + 15] == 0
    if runner.transfer_syntax not in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):
        return "YBR" not in runner.photometric_interpretation
    return b"JFIF\0" not in head and runner.photometric_interpretation == PhotometricInterpretation.RGB


def _of_jpeg_2000(src: bytes, runner: DecodeRunner) -> None:
    """The codec itself undoes the colour transform of JPEG 2000, but not one that was made before it."""
    named = PhotometricInterpretation.YBR_ICT, PhotometricInterpretation.YBR_RCT
    if runner.photometric_interpretation in named:
        runner.set_option("photometric_interpretation", PhotometricInterpretation.RGB)
