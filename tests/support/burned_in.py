"""Uncompressed images with text in their pixels, in every form that PS3.3 C.7.6.3 has, and what a viewer would show."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

US, SC, CR, XA = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("6.1", "7", "1", "12.1"))
VARIABLES = {"entity_id": "p1", "item_id": "s1", "jitter": 5}
KEY = b"a key of sixteen bytes"


def with_text(picture: Any, lines: list[tuple[int, int, str]], size: int = 18, value: int = 255) -> Any:
    """Draw lines of text at (left, top) into an 8-bit picture of one sample."""
    image = Image.fromarray(picture)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for left, top, text in lines:
        draw.text((left, top), text, fill=value, font=font)
    return np.array(image)


def speckle(rows: int = 240, columns: int = 320, seed: int = 1) -> Any:
    """An ultrasound fan."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    fan = (np.abs(np.arctan2(x - columns / 2, y + 20)) < 0.6) & (np.hypot(y + 20, x - columns / 2) < rows * 0.95)
    return np.where(fan, np.clip(rng.rayleigh(35, (rows, columns)), 0, 150), 0).astype(np.uint8)


def image(pixels: Any, sop_class: str = US, syntax: str = ExplicitVRLittleEndian, **attributes: Any) -> Dataset:
    """A dataset of frames × rows × columns [× samples]; what is not said of it is what the array says."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, generate_uid()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = sop_class, ds.SOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality = {US: "US", SC: "OT", CR: "CR", XA: "XA"}[sop_class]
    ds.PatientName, ds.PatientID, ds.ImageType = "Mueller^Anna", "04711823", ["ORIGINAL", "PRIMARY"]
    frames, rows, columns, *samples = pixels.shape
    ds.Rows, ds.Columns, ds.SamplesPerPixel = rows, columns, samples[0] if samples else 1
    ds.PhotometricInterpretation = "RGB" if samples else "MONOCHROME2"
    if samples:
        ds.PlanarConfiguration = 0
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.BitsAllocated = pixels.dtype.itemsize * 8
    ds.BitsStored, ds.PixelRepresentation = ds.BitsAllocated, int(pixels.dtype.kind == "i")
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.HighBit = ds.BitsStored - 1
    data = pixels.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 else "OW"
    return ds


def encoded(ds: Dataset) -> bytes:
    """The dataset as a file's bytes."""
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()
