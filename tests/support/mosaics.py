"""Siemens mosaics made by the tests, and an encoder of CSA headers that knows nothing of sendit's own."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"

Field = tuple[str, int, str, Sequence[str]]
"""Name, multiplicity, VR, values."""

TYPES = {
    "IS": 6,
    "DS": 3,
    "FD": 4,
    "US": 10,
    "UL": 9,
    "SL": 7,
    "SH": 22,
    "LO": 19,
    "CS": 16,
    "UN": 0,
    "LT": 20,
    "UT": 27,
}


def encoded(fields: Sequence[Field], version: int = 2, rubbish: bytes = b"") -> bytes:
    """A CSA header; `rubbish` stands where scanners leave memory behind the end of names and values."""
    out = bytearray(b"SV10\4\3\2\1" if version == 2 else b"")
    out += len(fields).to_bytes(4, "little") + (77).to_bytes(4, "little")
    first = None
    for name, multiplicity, vr, values in fields:
        places = -(-len(values) // 6) * 6
        first = places if first is None else first
        out += _filled(name.encode() + b"\0", 64, rubbish)
        out += multiplicity.to_bytes(4, "little") + _filled(vr.encode() + b"\0", 4, rubbish)
        out += (
            TYPES[vr].to_bytes(4, "little")
            + places.to_bytes(4, "little")
            + (77 if values else 205).to_bytes(4, "little")
        )
        for place in range(places):
            text = values[place].encode("latin-1") + b"\0" if place < len(values) else b""
            if text and rubbish:
                text += rubbish[: 4 - len(text) % 4]
            sizes = (len(text) + (first if version == 1 else 0), len(text), 77, len(text))
            out += b"".join(size.to_bytes(4, "little") for size in sizes)
            out += _filled(text, -(-len(text) // 4) * 4, rubbish)
    return bytes(out + _filled(b"", 4, rubbish))


def _filled(value: bytes, size: int, rubbish: bytes) -> bytes:
    return (value + (rubbish * (size // max(len(rubbish), 1) + 1) if rubbish else bytes(size)))[:size]


def decoded(header: bytes) -> dict[str, list[str]]:
    """What a header's fields hold, empty items left out; of one that is well-formed."""
    at, found = 8 if header.startswith(b"SV10") else 0, {}
    for _ in range(int.from_bytes(header[at : at + 4], "little")):
        head = header[at + 8 : at + 92]
        name, at = head[:64].split(b"\0")[0].decode(), at + 84
        found[name] = values = []
        for _ in range(int.from_bytes(head[76:80], "little")):
            size = int.from_bytes(header[at + 12 : at + 16], "little")
            text, at = header[at + 24 : at + 24 + size], at + 16 + -(-size // 4) * 4
            values += [text.split(b"\0")[0].decode("latin-1")] if size else []
    return found


def protocol(**settings: object) -> str:
    """A protocol in which an ASCCONV part has these settings; `__` stands for a point."""
    lines = [f"{name.replace('__', '.')}\t = \t{value}" for name, value in settings.items()]
    return "<XProtocol>\n### ASCCONV BEGIN ###\n" + "\n".join(lines) + "\n### ASCCONV END ###\n"


ORIENTATIONS: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "axial": ((1, 0, 0), (0, 1, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "oblique": ((0.9659258, 0.0669873, -0.25), (0, 0.9659258, 0.2588190)),
}


@dataclass(frozen=True)
class Mosaic:
    """A volume of a series; `flipped` slices go against the cross product of rows and columns."""

    orientation: str = "axial"
    flipped: bool = False
    version: int = 2
    slices: int = 7
    volume: int = 1
    b_value: int | None = None
    rubbish: bytes = b""
    more: Sequence[Field] = ()
    image_header: bytes | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    image_type: Sequence[str] = ("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC")
    syntax: str = EXPLICIT

    @property
    def normal(self) -> np.ndarray:
        """The direction from slice to slice."""
        rows, columns = (np.asarray(axis, float) for axis in ORIENTATIONS[self.orientation])
        return np.cross(rows, columns) * (-1 if self.flipped else 1)

    @property
    def fields(self) -> list[Field]:
        """The image header's."""
        times = [f"{1000 * (n * 2 % self.slices) / self.slices:.8f}" for n in range(self.slices)]
        made: list[Field] = [
            ("EchoLinePosition", 1, "IS", ["8"]),
            ("NumberOfImagesInMosaic", 1, "US", [str(self.slices)]),
            ("SliceNormalVector", 3, "FD", [f"{part:.8f}" for part in self.normal]),
            ("SliceMeasurementDuration", 1, "DS", ["1000.0"]),
            ("PhaseEncodingDirectionPositive", 1, "IS", [str(self.volume % 2 and 1)]),
            ("BandwidthPerPixelPhaseEncode", 1, "FD", ["55.80400000"]),
            ("MosaicRefAcqTimes", 0, "FD", times),
            ("ProtocolSliceNumber", 1, "IS", ["0"]),
            ("AcquisitionMatrixText", 1, "SH", ["16*16"]),
        ]
        if self.b_value is not None:
            made.append(("B_value", 1, "IS", [str(self.b_value)]))
            if self.b_value:
                made.append(("DiffusionGradientDirection", 3, "FD", ["0.60000000", "0.00000000", "-0.80000000"]))
                made.append(("B_matrix", 6, "FD", ["360.0", "0.0", "-480.0", "0.0", "0.0", "640.0"]))
        return [*made, *self.more]

    @property
    def series_fields(self) -> list[Field]:
        """The series header's."""
        settings = {"sKSpace__lPhaseEncodingLines": 16, "sFastImaging__lEchoSpacing": 560, "sPat__lAccelFactPE": 2}
        phoenix = protocol(**settings, sSliceArray__ucMode="0x4", **self.settings)
        return [("UsedPatientWeight", 1, "IS", ["71"]), ("MrPhoenixProtocol", 1, "UN", [phoenix])]

    def dataset(self) -> FileDataset:
        """The image; its patient is invented."""
        ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=bytes(128))
        ds.file_meta.TransferSyntaxUID, ds.file_meta.MediaStorageSOPClassUID = self.syntax, MR_IMAGE
        ds.SOPClassUID, ds.SOPInstanceUID = MR_IMAGE, f"1.2.3.9.{self.volume}"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3.1", "1.2.3.2", "1.2.3.4"
        ds.ImageType, ds.Modality, ds.Manufacturer = list(self.image_type), "MR", "SIEMENS"
        ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = (
            "Kowalczyk^Zofia",
            "MRN77012",
            "19630417",
            "F",
        )
        ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = "ACC9", "1", "Abernathy^Quentin"
        ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = "20200131"
        ds.StudyTime = ds.SeriesTime = "101500"
        ds.AcquisitionTime = ds.ContentTime = f"1016{self.volume:02}"
        ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = 5, self.volume, self.volume
        ds.SequenceName, ds.ScanningSequence, ds.SequenceVariant = "epfid2d1_16", "EP", "SK"
        ds.ProtocolName, ds.SeriesDescription, ds.PatientPosition = "bold", "bold", "HFS"
        ds.RepetitionTime, ds.EchoTime, ds.EchoNumbers, ds.FlipAngle, ds.MagneticFieldStrength = 1000, 30, 1, 90, 3
        ds.NumberOfPhaseEncodingSteps, ds.MRAcquisitionType, ds.InPlanePhaseEncodingDirection = 16, "2D", "COL"
        ds.PixelSpacing, ds.SliceThickness, ds.SpacingBetweenSlices = [3.0, 3.0], 4.0, 4.0
        rows, columns = ORIENTATIONS[self.orientation]
        ds.ImageOrientationPatient = [round(part, 7) for part in (*rows, *columns)]
        ds.ImagePositionPatient, ds.ImagesInAcquisition = [-41.5, -60.25, 12.75], 1
        self._put_pixels(ds)
        self._put_headers(ds)
        return ds

    def _put_pixels(self, ds: Dataset) -> None:
        edge = 16 * int(np.ceil(np.sqrt(self.slices)))
        ds.Rows = ds.Columns = edge
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.AcquisitionMatrix = [16, 0, 0, 16]
        noise = np.random.default_rng(self.volume).integers(0, 4096, (edge, edge), dtype="<u2")
        ds.PixelData = noise.tobytes()

    def _put_headers(self, ds: Dataset) -> None:
        block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0A, "US", self.slices)
        header = encoded(self.fields, self.version, self.rubbish) if self.image_header is None else self.image_header
        block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x08, "CS", "IMAGE NUM 4")
        block.add_new(0x09, "LO", "20200131")
        block.add_new(0x10, "OB", header)
        block.add_new(0x20, "OB", encoded(self.series_fields, self.version, self.rubbish))

    def tobytes(self) -> bytes:
        """The file."""
        stream = io.BytesIO()
        self.dataset().save_as(stream, enforce_file_format=True)
        return stream.getvalue()


def slices_of(maker: str, count: int = 6, volumes: int = 3) -> list[FileDataset]:
    """An EPI series, a slice an image, of a maker whose converters look elsewhere than in a CSA header."""
    return [_slice(maker, volume, number, count) for volume in range(volumes) for number in range(1, count + 1)]


def _slice(maker: str, volume: int, number: int, count: int) -> FileDataset:
    ds = Mosaic(slices=1, volume=volume * count + number).dataset()
    ds.remove_private_tags()
    onset = (number * 2 % (count + 1)) * 900 / count
    ds.ImageType, ds.ImagePositionPatient = ["ORIGINAL", "PRIMARY", "M", "ND"], [-41.5, -60.25, 12.75 + 4 * number]
    ds.AcquisitionNumber, ds.AcquisitionTime = volume + 1, f"1016{volume + 1:02}.{onset * 100:06.0f}"
    ds.ContentTime, ds.TemporalPositionIdentifier = ds.AcquisitionTime, volume + 1
    ds.SliceLocation, ds.ImagesInAcquisition = 12.75 + 4 * number, count
    _MAKERS[maker](ds, onset + 1000 * volume, count)
    return ds


def _xa(ds: Dataset, onset: float, count: int) -> None:
    ds.Manufacturer, ds.SoftwareVersions = "SIEMENS", "syngo MR XA30"
    block = ds.private_block(0x0021, "SIEMENS MR SDS 01", create=True)
    block.add_new(0x09, "LO", "p2")
    block.add_new(0x19, "OB", protocol(sFastImaging__lEchoSpacing=560, sPat__lAccelFactPE=2).encode())
    block = ds.private_block(0x0021, "SIEMENS MR SDI 02", create=True)
    block.add_new(0x04, "DS", f"{onset / 1000:.4f}")
    block.add_new(0x1C, "IS", "1")
    block.add_new(0x42, "IS", "2100")
    block.add_new(0x53, "FD", 55.804)
    block.add_new(0x58, "SH", "16*16")


def _ge(ds: Dataset, onset: float, count: int) -> None:
    ds.Manufacturer, ds.SoftwareVersions = "GE MEDICAL SYSTEMS", "27\\LX\\MR Software release:DV26.0_R01"
    ds.ScanOptions, ds.SequenceVariant, ds.PixelBandwidth = "EPI_GEMS\\FAST_GEMS", "NONE", 3906.25
    block = ds.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x9C, "LO", "epi")
    block.add_new(0x9E, "LO", "EPI")
    block = ds.private_block(0x0021, "GEMS_RELA_01", create=True)
    block.add_new(0x4F, "SS", count)
    block.add_new(0x5E, "DS", f"{onset * 10:.0f}")
    settings = (
        f'set VIEWORDER "4"\nset SLICEORDER "1"\nset NOSLC "{count}"\nset IOPT "EDR, Fast"\nset PATNAME "Zofia"\n'
    )
    packed = gzip.compress(settings.encode(), mtime=0)
    packed = len(packed).to_bytes(4, "little") + packed + bytes(len(packed) % 2)
    ds.private_block(0x0025, "GEMS_SERS_01", create=True).add_new(0x1B, "OB", packed)
    block = ds.private_block(0x0043, "GEMS_PARM_01", create=True)
    block.add_new(0x2C, "SS", 560)
    block.add_new(0x2F, "SS", 0)
    block.add_new(0x83, "DS", [0.5, 1])


_MAKERS = {"xa": _xa, "ge": _ge}
