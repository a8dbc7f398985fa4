"""A DICOM image's frames as arrays: any transfer syntax that pydicom's decoders read, one frame at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from pydicom import Dataset, config, dcmread
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import pixel_array

from sendit.errors import DataFault
from sendit.rendering import codecs

codecs.register()

Array = np.ndarray[Any, Any]

_UNDECODABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError, NotImplementedError,
                MemoryError, OSError)  # fmt: skip
"""What pydicom and its plug-ins raise on an image that they cannot decode."""

MOST_PIXELS = 1 << 28
"""A larger frame is not rendered; decoding it would take the memory of everything else."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is shown between black and white, in the units that Rescale Slope and Intercept give."""

    center: float
    width: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame: grey levels with the windows that the header offers, or colours of 8 bits."""

    pixels: Array
    is_color: bool
    is_inverted: bool = False
    windows: tuple[Window, ...] = ()
    lowest: float = 0.0
    highest: float = 0.0
    slope: float = 1.0
    intercept: float = 0.0


class Picture:
    """An image's header and its frames.

    Raises
    ------
    DataFault
        `NoPicture`: it cannot be read, has no pixel data, or too much of it.
    """

    def __init__(self, source: Path | BinaryIO) -> None:
        config.settings.reading_validation_mode = config.IGNORE
        try:
            self._ds = dcmread(source, force=True)
            self.frames = max(1, int(self._ds.get("NumberOfFrames") or 1))
            self.rows, self.columns = int(self._ds.Rows), int(self._ds.Columns)
        except _UNDECODABLE:
            raise DataFault("NoPicture") from None
        if self.rows * self.columns > MOST_PIXELS:
            raise DataFault("NoPicture")

    def frame(self, number: int) -> Frame:
        """Decode a frame, from 1. Raises DataFault("NoPicture")."""
        if not 1 <= number <= self.frames:
            raise DataFault("NoPicture")
        try:
            return self._frame(number - 1)
        except _UNDECODABLE:
            raise DataFault("NoPicture") from None

    def _frame(self, index: int) -> Frame:
        ds = self._ds
        pixels = _decoded(ds, index)
        if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, ds)
        if pixels.ndim == 3:
            return Frame(_to_8_bits(pixels), is_color=True)
        return _grey(pixels, ds, index)


def _decoded(ds: Dataset, index: int) -> Array:
    """Decode a frame by our plug-in; by another that is installed, where ours cannot."""
    if codecs.is_available(ds.file_meta.get("TransferSyntaxUID", "")):
        try:
            return pixel_array(ds, index=index, decoding_plugin=codecs.LABEL)
        except _UNDECODABLE:
            pass
    return pixel_array(ds, index=index)


def _to_8_bits(pixels: Array) -> Array:
    if pixels.dtype == np.uint8:
        return pixels
    highest = int(pixels.max()) if pixels.size else 0
    shift = max(0, highest.bit_length() - 8)
    return (pixels >> shift).astype(np.uint8)


def _grey(pixels: Array, ds: Dataset, index: int) -> Frame:
    slope, intercept = 1.0, 0.0
    if "ModalityLUTSequence" in ds:
        pixels = apply_modality_lut(pixels, ds)
    else:
        slope, intercept = _rescale(ds, index)
    low, high = float(pixels.min()) * slope + intercept, float(pixels.max()) * slope + intercept
    return Frame(
        pixels,
        is_color=False,
        is_inverted=ds.get("PhotometricInterpretation") == "MONOCHROME1",
        windows=tuple(_windows(ds, index)),
        lowest=min(low, high),
        highest=max(low, high),
        slope=slope,
        intercept=intercept,
    )


def _rescale(ds: Dataset, index: int) -> tuple[float, float]:
    item = _of_frame(ds, index, "PixelValueTransformationSequence", "RescaleSlope") or ds
    slope, intercept = _number(item.get("RescaleSlope")), _number(item.get("RescaleIntercept"))
    return slope or 1.0, intercept or 0.0


def _windows(ds: Dataset, index: int) -> list[Window]:
    item = _of_frame(ds, index, "FrameVOILUTSequence", "WindowCenter") or ds
    centers, widths = _numbers(item.get("WindowCenter")), _numbers(item.get("WindowWidth"))
    names = _texts(item.get("WindowCenterWidthExplanation"))
    found = zip(centers, widths, [*names, *[""] * len(centers)], strict=False)
    return [Window(center, width, name) for center, width, name in found if width >= 1]


def _of_frame(ds: Dataset, index: int, sequence: str, keyword: str) -> Dataset | None:
    """Return the item of a functional group that has an attribute of this frame: its own, or the shared one."""
    own = ds.get("PerFrameFunctionalGroupsSequence") or []
    shared = ds.get("SharedFunctionalGroupsSequence") or []
    for group in (*own[index : index + 1], *shared[:1]):
        for item in group.get(sequence) or []:
            if keyword in item:
                found: Dataset = item
                return found
    return None


def _numbers(value: object) -> list[float]:
    many = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [number for number in map(_number, many) if number is not None]


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _texts(value: object) -> list[str]:
    many = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [str(text) for text in many if text]
