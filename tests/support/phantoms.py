"""Study folders made from pydicom's bundled real files, with planted identifiers: the canary.

Every planted text holds one of the marks in `MARKS`, so that a test can look for the marks alone, wherever it looks.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pydicom.data
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence

WORD = "Zqcanary"
DIGITS = "7337001973"
BIRTH_DATE = "19330707"

MARKS = re.compile(
    rb"zqcanary|" + DIGITS.encode() + rb"|(?<![0-9a-f])(?:19330707(?:120000)?|1933-07-07)(?![0-9a-f])",
    re.IGNORECASE,
)
"""What no output may hold: a planted name, number or date."""
_HINTS = (b"zqcanary", DIGITS.encode(), b"19330707", b"1933-07-07")
"""One of these stands in whatever `MARKS` finds; looked for first, for it takes a hundredth of the time."""

FILES = Path(pydicom.data.__file__).parent / "test_files"


def bundled(name: str) -> Path:
    """A file that the pydicom wheel brings along; never the network."""
    (path,) = FILES.rglob(name)
    return path


def leaks_in(data: bytes | str) -> list[str]:
    """The planted identifiers that stand in the data, as text in any of the usual encodings."""
    raw = data.encode(errors="surrogateescape") if isinstance(data, str) else data
    wide = (raw, raw.replace(b"\0", b"")) if b"\0" in raw else (raw,)
    return sorted({found.decode() for view in wide for found in _marks_in(view)})


def _marks_in(view: bytes) -> list[bytes]:
    lower = view.lower()
    return MARKS.findall(view) if any(hint in lower for hint in _HINTS) else []


def accession_number(number: int) -> str:
    """The accession number of the numbered phantom study; its folder's usual name."""
    return f"{DIGITS}{number:05}"


def patient_id(number: int) -> str:
    """The Patient ID of the numbered phantom patient."""
    return f"{DIGITS}-{number:05}"


def uid(*parts: int) -> str:
    """A UID that belongs to the phantoms."""
    return ".".join(["1.2.826.0.1", DIGITS, *(str(part) for part in parts)])


def make_study(
    folder: Path,
    *,
    images: int = 5,
    patients: int = 1,
    studies: int = 1,
    series: int = 1,
    number: int | None = None,
    base: str = "CT_small.dcm",
    pixels: tuple[int, int, int] | None = None,
    **attributes: object,
) -> list[Path]:
    """Write a study folder; its files, in order of their names.

    Parameters
    ----------
    number : int
        Names the patient and the study; made from the folder's name where it is not given.
    patients, studies, series : int
        Images go to them in turn; more than one patient or study is what sendit refuses.
    base : str
        The bundled file that each image is a copy of.
    pixels : tuple of int, optional
        (frames, rows, columns) of 16 bit noise in place of the base's pixels.
    attributes
        Values by keyword, written to every image last; None deletes.
    """
    number = zlib.crc32(folder.name.encode(errors="surrogateescape")) % 100_000 if number is None else number
    folder.mkdir(parents=True, exist_ok=True)
    ds = dcmread(bundled(base))
    if pixels:
        _put_noise(ds, *pixels)
    return list(_images(folder, ds, number, images, patients, studies, series, attributes))


def _images(
    folder: Path, ds: FileDataset, number: int, images: int, patients: int, studies: int, series: int, attributes: dict
) -> Iterator[Path]:
    for index in range(images):
        plant(ds, number + index % patients, number + index % studies, 1 + index % series, 1 + index // series)
        for keyword, value in attributes.items():
            if value is None:
                ds.pop(keyword, None)
            else:
                setattr(ds, keyword, value)
        path = folder / f"{WORD} {index + 1:04}.dcm"
        ds.save_as(path, enforce_file_format=True)
        yield path


def plant(ds: Dataset, patient: int, study: int, series: int = 1, instance: int = 1) -> None:
    """Make the dataset that of a phantom: identifiers in every text VR, at the root, nested and private."""
    ds.PatientName = f"{WORD}^Quillon^{patient}"
    ds.PatientID = patient_id(patient)
    ds.PatientBirthDate = BIRTH_DATE
    ds.AccessionNumber = accession_number(study)
    ds.StudyID = DIGITS
    ds.StudyInstanceUID = uid(study)
    ds.SeriesInstanceUID = uid(study, series)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid(study, series, instance)
    ds.SeriesNumber, ds.InstanceNumber = series, instance
    ds.InstitutionName = f"{WORD} Hospital"
    ds.InstitutionAddress = f"1 {WORD} Street\r\nZurich"
    ds.ReferringPhysicianName = f"Dr {WORD}^Referring"
    ds.OtherPatientNames = f"{WORD}^Maiden"
    ds.PatientAddress = f"2 {WORD} Lane"
    ds.PatientTelephoneNumbers = DIGITS
    ds.PatientComments = f"Ask {WORD} about {DIGITS}"
    ds.OtherPatientIDsSequence = Sequence([_other_id(patient)])
    _plant_privately(ds)


def _other_id(patient: int) -> Dataset:
    item = Dataset()
    item.PatientID = patient_id(patient)
    item.IssuerOfPatientID = WORD
    return item


PRIVATE_TEXTS = {
    "AE": WORD,
    "AS": "073Y",
    "CS": WORD.upper(),
    "DA": BIRTH_DATE,
    "DS": DIGITS,
    "DT": f"{BIRTH_DATE}120000",
    "IS": DIGITS[:8],
    "LO": f"{WORD} {DIGITS}",
    "LT": f"{WORD}\r\n{DIGITS}",
    "PN": f"{WORD}^Private",
    "SH": WORD,
    "ST": f"{WORD} {DIGITS}",
    "TM": "073300",
    "UC": f"{WORD} {DIGITS}",
    "UI": uid(9),
    "UR": f"http://{WORD}.example/{DIGITS}",
    "UT": f"{WORD} {DIGITS}",
}


def _plant_privately(ds: Dataset) -> None:
    block = ds.private_block(0x0099, "SENDIT CANARY", create=True)
    for offset, (vr, text) in enumerate(PRIVATE_TEXTS.items()):
        block.add_new(offset, vr, text)
    block.add_new(0x40, "UN", f"{WORD} {DIGITS}".encode().ljust(32))
    block.add_new(0x41, "SQ", Sequence([_other_id(1)]))


def _put_noise(ds: FileDataset, frames: int, rows: int, columns: int) -> None:
    import numpy

    noise = numpy.random.default_rng(rows).normal(1000, 40, frames * rows * columns).astype("<u2")
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.PixelData = noise.tobytes()
