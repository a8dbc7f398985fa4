"""A dozen study folders made from the real files in pydicom's wheel, with invented patients in their headers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from PIL import Image, ImageDraw, ImageFont
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

UID_ROOT = "1.2.826.0.1.3680043.8.498.4"


@dataclass(frozen=True, slots=True)
class Folder:
    """One study folder: its name (the accession number), its patient, its files from the wheel, and what it shows."""

    name: str
    patient_id: str
    patient_name: str
    birth_date: str
    files: tuple[str, ...]
    about: str
    change: Callable[[Path], None] | None = None


def make(data: Path) -> list[Folder]:
    """Write all folders under `data`, and return them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for folder in FOLDERS:
            _write(folder, data)
    return FOLDERS


def _write(folder: Folder, data: Path) -> None:
    home = data / folder.name
    home.mkdir(parents=True)
    for number, name in enumerate(folder.files, start=1):
        _image(folder, name, number).save_as(home / f"image{number:02d}.dcm")
    if folder.change:
        folder.change(home)


def _image(folder: Folder, name: str, number: int) -> Dataset:
    ds = pydicom.dcmread(bundled(name))
    study = f"{UID_ROOT}.{int(folder.name.partition('.')[0].removeprefix('ACC'))}"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientID, ds.PatientName, ds.PatientBirthDate = folder.patient_id, folder.patient_name, folder.birth_date
    ds.AccessionNumber = folder.name.partition(".")[0]
    ds.ReferringPhysicianName, ds.InstitutionName = "Kildare^James", "Blair General Hospital"
    ds.StudyDate, ds.StudyTime = "20100204", "093000"
    ds.StudyDescription = ds.get("StudyDescription") or "Follow-up"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{number}"
    ds.SeriesNumber, ds.InstanceNumber = 1, number
    ds.BurnedInAnnotation = "NO"  # as many scanners say, whatever is in the pixels
    return ds


def bundled(name: str) -> str:
    """Return the path of a file in pydicom's wheel."""
    path = get_testdata_file(name, download=False)
    if path is None:
        raise FileNotFoundError(f"pydicom's wheel has no {name}")
    return str(path)


def _spoil(home: Path) -> None:
    """Truncate the last image, and add a file that is not an image."""
    last = home / "image03.dcm"
    last.write_bytes(last.read_bytes()[:-3000])
    (home / "notes.txt").write_text("call the ward about Mrs Rossi\n")


def _burn(home: Path) -> None:
    """Burn the patient's name into the last image, whose header goes on saying that nothing is burned in."""
    ds = pydicom.dcmread(home / "image02.dcm")
    picture = Image.fromarray(ds.pixel_array)
    name = str(ds.PatientName).replace("^", " ").upper()
    ImageDraw.Draw(picture).text((60, 158), f"{name}  {ds.PatientID}", fill="white", font=ImageFont.load_default(14))
    ds.PixelData = picture.tobytes()
    ds.save_as(home / "image02.dcm")


def _photograph(home: Path) -> None:
    """Make it a VL Photographic Image."""
    ds = pydicom.dcmread(home / "image01.dcm")
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"
    ds.Modality = "XC"
    ds.save_as(home / "image01.dcm")


def _second_patient(home: Path) -> None:
    ds = pydicom.dcmread(home / "image02.dcm")
    ds.PatientID, ds.PatientName = "MRN-4012", "Okafor^Chidi"
    ds.save_as(home / "image02.dcm")


FOLDERS = [
    Folder(
        "ACC1001", "MRN-1001", "Müller^Änne", "19610727", ("CT_small.dcm",) * 4, "CT, 179 private elements an image"
    ),
    Folder(
        "ACC1002",
        "MRN-1002",
        "Yamada^Tarou=山田^太郎",
        "19480315",
        (
            "MR_small.dcm",
            "MR_small_implicit.dcm",
            "MR_small_bigendian.dcm",
            "MR_small_RLE.dcm",
            "MR_small_jpeg_ls_lossless.dcm",
            "MR_small_jp2klossless.dcm",
        ),
        "MR, one image in six transfer syntaxes",
    ),
    Folder("ACC1003", "MRN-1003", "Haddad^Layla", "19900911", ("examples_rgb_color.dcm",), "US, RGB"),
    Folder(
        "ACC1004",
        "MRN-1004",
        "Novak^Petr",
        "19720101",
        ("SC_rgb_small_odd.dcm",),
        "a photograph, which may show a face",
        _photograph,
    ),
    Folder("ACC1005", "MRN-1005", "Silva^João", "20010531", ("examples_jpeg2k.dcm",), "US, JPEG 2000"),
    Folder(
        "ACC1006",
        "MRN-1006",
        "Jensen^Kirsten",
        "19550808",
        ("SC_rgb_rle_2frame.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_small_odd.dcm"),
        "SC: RLE, JPEG, raw",
    ),
    Folder("ACC1007", "MRN-1007", "Papas^Eleni", "19830219", ("image_dfl.dcm",), "deflated"),
    Folder("ACC1008", "MRN-1008", "Smith^John", "19391224", ("ExplVR_BigEnd.dcm",), "US, big-endian"),
    Folder(
        "ACC1009", "MRN-1009", "Dubois^Zoé", "19670430", ("rtdose.dcm", "rtdose_rle.dcm"), "RT dose, implicit and RLE"
    ),
    Folder(
        "ACC1010",
        "MRN-1010",
        "Rossi^Maria",
        "19440606",
        ("MR_small.dcm",) * 3,
        "MR, one image cut short, and a text file",
        _spoil,
    ),
    Folder(
        "ACC1011",
        "MRN-1011",
        "Kowalska^Zofia",
        "19790917",
        ("examples_rgb_color.dcm",) * 2,
        "US, a name burned into one image",
        _burn,
    ),
    Folder(
        "ACC1012",
        "MRN-1012",
        "Ng^Wei",
        "19860122",
        ("CT_small.dcm",) * 2,
        "CT, two patients in one folder",
        _second_patient,
    ),
    Folder("ACC1013.tmp2343", "MRN-1013", "Cruz^Ana", "19930303", ("CT_small.dcm",), "still being copied"),
]
