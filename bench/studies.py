"""The studies that are measured: real headers from pydicom's wheel under pixels of clinical size."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

GIVEN = Path(__file__).parents[2] / "shared" / "data" / "dicom"
"""Real files that lie beside the repository on some machines; measured where present, never needed."""
PIXEL_DATA = b"\xe0\x7f\x10\x00"
UID_ROOT = "1.2.826.0.1.3680043.8.498"


@dataclass(frozen=True, slots=True)
class Study:
    """One study folder: its name, its files, their bytes."""

    name: str
    folder: Path

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files)


def ct(folder: Path, images: int) -> Study:
    """512×512 CT, Explicit VR, 262 elements an image, 179 of them private (GE)."""
    return _study("CT 512×512", folder, images, "CT_small.dcm", 512, 512)


def mr(folder: Path, images: int) -> Study:
    """384×274 MR, Implicit VR, 72 elements an image."""
    return _study("MR 384×274", folder, images, "MR_small_implicit.dcm", 384, 274)


def cr(folder: Path, images: int) -> Study:
    """2048×2500 CR, JPEG Baseline: a big encapsulated fragment under a CT's header."""
    folder.mkdir(parents=True)
    jpegs = [_jpeg(rows) for rows in _pixels(2500, 2048, kinds=2)]
    for number in range(1, images + 1):
        ds = _image("CT_small.dcm", folder.name, number, 2500, 2048)
        ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        ds.Modality, ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = "CR", 8, 8, 7, 0
        ds.PixelData = encapsulate([jpegs[number % len(jpegs)]])
        ds["PixelData"].is_undefined_length = True
        ds.save_as(folder / f"{number:04d}.dcm")
    return Study("CR JPEG 2500×2048", folder)


def multiframe(folder: Path, frames: int) -> Study:
    """One file of 512×512 frames, 1 GiB if there are 2048. Written in pieces, never held."""
    folder.mkdir(parents=True)
    ds = _image("CT_small.dcm", folder.name, 1, 512, 512)
    ds.NumberOfFrames = frames
    del ds[0x7FE00010:]  # Data Set Trailing Padding too: pixels come last here
    header = io.BytesIO()
    ds.save_as(header)
    with (folder / "0001.dcm").open("wb") as file:
        file.write(header.getvalue())
        file.write(PIXEL_DATA + b"OW\0\0" + (frames * 512 * 512 * 2).to_bytes(4, "little"))
        kinds = [plane.tobytes() for plane in _pixels(512, 512, kinds=8)]
        for number in range(frames):
            file.write(kinds[number % len(kinds)])
    return Study(f"one file of {frames} frames", folder)


def many(folder: Path, images: int) -> Study:
    """64×64 MR, so many that what is kept of each image counts."""
    folder.mkdir(parents=True)
    first = 700_000
    ds = _image("MR_small.dcm", folder.name, first, 64, 64)
    written = io.BytesIO()
    ds.save_as(written)
    for number in range(first, first + images):
        (folder / f"{number}.dcm").write_bytes(written.getvalue().replace(b"%d" % first, b"%d" % number))
    return Study(f"{images:,} MR 64×64", folder)


def clone(study: Study, folder: Path) -> Study:
    """The same study under another patient, accession number and UIDs, all of the same length: a quick byte patch."""
    folder.mkdir(parents=True)
    words = [(study.folder.name, folder.name), (_digits(study.folder.name), _digits(folder.name))]
    for path in study.files:
        header, tag, pixels = path.read_bytes().partition(PIXEL_DATA)
        for old, new in words:
            header = header.replace(old.encode(), new.encode())
        (folder / path.name).write_bytes(header + tag + pixels)
    return Study(study.name, folder)


def given(root: Path = GIVEN) -> Iterator[Study]:
    """The real studies beside the repository, if this machine has them: each folder that holds files itself."""
    for name, _, files in sorted(os.walk(root)):
        if files:
            yield Study(f"given: {Path(name).relative_to(root)}", Path(name))


def _study(name: str, folder: Path, images: int, base: str, rows: int, columns: int) -> Study:
    folder.mkdir(parents=True)
    planes = [plane.tobytes() for plane in _pixels(rows, columns, kinds=16)]
    for number in range(1, images + 1):
        ds = _image(base, folder.name, number, rows, columns)
        ds.PixelData = planes[number % len(planes)]
        ds.save_as(folder / f"{number:04d}.dcm")
    return Study(name, folder)


def _image(base: str, study: str, number: int, rows: int, columns: int) -> Dataset:
    """A bundled image made into image `number` of an invented patient's study."""
    path = get_testdata_file(base, download=False)
    ds = pydicom.dcmread(str(path))
    if ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian:
        ds["PixelData"].VR = "OW"
    ds.PatientID, ds.AccessionNumber = f"P{study}", study
    ds.PatientName, ds.PatientBirthDate = "Benchley^Robin", "19610727"
    digits = _digits(study)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{UID_ROOT}.{digits}.1", f"{UID_ROOT}.{digits}.2"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{UID_ROOT}.{digits}.3.{number}"
    ds.Rows, ds.Columns, ds.InstanceNumber = rows, columns, number
    return ds


def _digits(name: str) -> str:
    """A folder's name as a part of a UID."""
    return "".join(str(ord(letter)) for letter in name)


def _pixels(rows: int, columns: int, kinds: int) -> Iterator[np.ndarray]:
    """16-bit planes that compress about as well as clinical ones: a body, air around it, and noise on both."""
    noise = np.random.default_rng(2)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    for kind in range(kinds):
        body = (x / 0.8) ** 2 + (y / 0.9) ** 2 < 1
        tissue = 1000 + 300 * np.sin(5 * x + kind) * np.cos(4 * y) + noise.normal(0, 12, x.shape)
        yield np.where(body, tissue, 0).astype("<u2")


def _jpeg(plane: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray((plane >> 4).clip(0, 255).astype("u1")).save(out, "JPEG", quality=95)
    return out.getvalue()
