"""The ports: what sendit asks of an identity service, of destinations and of a warehouse.

Protocols and the frozen records that cross them. Knows no adapter, no Django, no HTTP, no cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from sendit.phi import Phi

# ---------------------------------------------------------------------------------------------- identity


@dataclass(frozen=True, slots=True)
class IdentityItem:
    """One study in a request: `id` is the Accession Number, `timestamp` an ISO 8601 UTC instant or None."""

    id: Phi[str]
    id_source: str
    timestamp: Phi[str] | None = None


@dataclass(frozen=True, slots=True)
class IdentityRequest:
    """One entity (patient) and its items (studies), for which pseudonyms of one collection are requested."""

    study: str
    id: Phi[str]
    id_source: str
    timestamp: Phi[str] | None = None
    items: tuple[IdentityItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """The answer for one id: an opaque `suid` ([A-Za-z0-9_-]+) and a date shift, a signed number of whole days.

    `timestamp` is the shifted instant (ISO 8601), or None if the request had none.
    """

    suid: str
    jitter: int
    timestamp: str | None = None


@dataclass(frozen=True, slots=True)
class IdentityResponse:
    """The entity's pseudonym, and one pseudonym per item in the order of the request."""

    entity: Pseudonym
    items: tuple[Pseudonym, ...] = ()


class IdentityService(Protocol):
    """Gives pseudonyms; the same study and id always get the same suid and shift."""

    def identify(self, request: IdentityRequest) -> IdentityResponse:
        """Return pseudonyms for one entity and its items. Raises ServiceDown, ServiceRefused or Misconfigured."""
        ...


# ---------------------------------------------------------------------------------------------- object store


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store has it, verified after the write. `crc32c` is base64 of the big-endian checksum."""

    name: str
    uri: str
    size_bytes: int
    crc32c: str
    generation: str = ""
    download_link: str = ""
    metadata_link: str = ""


def go_on() -> None:
    """Do nothing: the `check` of a caller that never wants to stop."""


class Destination(Protocol):
    """Takes archives. Names are relative, `/`-separated, and never contain an identifier."""

    def put(
        self, name: str, path: Path, metadata: Mapping[str, str], check: Callable[[], None] = go_on
    ) -> StoredObject:
        """Take the archive at `path`; idempotent by name and checksum, verified after the write.

        One that takes images and no files has each of them, and none is there twice, when the call returns.

        A long put calls `check` repeatedly; what it raises ends the put, and no object is stored.

        Raises ServiceRefused("ObjectConflict") if the name is taken by other bytes, ServiceDown if a retry may help.
        """
        ...

    def remove(self, name: str) -> None:
        """Remove what was put, what is kept about it, and what a killed put of it left, as far as any of it is there.

        It may be stopped at any moment and repeated. Raises ServiceRefused("Retained") if it has to be kept,
        ServiceRefused("NotRemovable") if the destination removes nothing, ServiceDown if a retry may help.
        """
        ...


@runtime_checkable
class ObjectStore(Destination, Protocol):
    """Keeps archives as they are, and what is said of them beside them."""

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Read `length` bytes from `offset`: one image's gzip member is one ranged read."""
        ...


# ---------------------------------------------------------------------------------------------- warehouse


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a warehouse table; `type` is a BigQuery type name (STRING, INT64, FLOAT64, DATE, TIMESTAMP,
    JSON)."""

    name: str
    type: str
    description: str
    absent: int | None = None
    """What the value is in rows that were loaded before there was such a column, if it is not unknown."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Column names and rows of a query."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]] = field(default_factory=tuple)


class Warehouse(Protocol):
    """Keeps searchable metadata; both tables' schemas are `TABLES`."""

    def load(self, table: str, rows: Path, load_id: str, check: Callable[[], None] = go_on) -> int:
        """Load the Parquet file `rows`, in the table's schema, once, and return how many rows it has.

        A repeated `load_id` adds no row. Every row has the load id in its column of that name. A long load calls
        `check` repeatedly; what it raises ends the call, but a load that has started may still complete.
        """
        ...

    def remove(self, table: str, load_id: str, check: Callable[[], None] = go_on) -> None:
        """Remove the rows of a load; one that is not there is no error.

        It may be stopped at any moment and repeated; queries and loads may run at the same time. Afterwards the load
        id is unknown, so the same id may be loaded again.
        """
        ...

    def query(self, sql: str, seconds: float | None = None) -> QueryResult:
        """Run one SQL statement over the tables, read-only; one that takes longer than `seconds` is ended.

        Raises Misconfigured("BadQuery") where it cannot be run or takes too long.
        """
        ...

    def count_times(self) -> int:
        """Count the rows, loaded by an earlier version, that tell when their batch was processed."""
        ...

    def remove_times(self) -> int:
        """Remove those times from the rows, and return how many rows held one.

        It may be stopped at any moment and repeated; queries and loads may run at the same time.
        """
        ...


HEADER_COLUMNS = (
    Column("SeriesDescription", "STRING", "(0008,103E) after de-identification"),
    Column("SeriesDate", "DATE", "shifted (0008,0021)"),
    Column("AcquisitionNumber", "INT64", "(0020,0012)"),
    Column("ImageType", "STRING", "(0008,0008), values separated by backslashes"),
    Column("BodyPartExamined", "STRING", "(0018,0015)"),
    Column("Laterality", "STRING", "(0020,0060)"),
    Column("ViewPosition", "STRING", "(0018,5101)"),
    Column("PatientPosition", "STRING", "(0018,5100)"),
    Column("ProtocolName", "STRING", "(0018,1030) after de-identification"),
    Column("ContrastBolusAgent", "STRING", "(0018,0010) after de-identification"),
    Column("Manufacturer", "STRING", "(0008,0070)"),
    Column("ManufacturerModelName", "STRING", "(0008,1090)"),
    Column("MagneticFieldStrength", "FLOAT64", "(0018,0087), in tesla"),
    Column("RepetitionTime", "FLOAT64", "(0018,0080), in milliseconds"),
    Column("EchoTime", "FLOAT64", "(0018,0081), in milliseconds"),
    Column("FlipAngle", "FLOAT64", "(0018,1314), in degrees"),
    Column("KVP", "FLOAT64", "(0018,0060), in kilovolts"),
    Column("ConvolutionKernel", "STRING", "(0018,1210), values separated by backslashes"),
    Column("SliceThickness", "FLOAT64", "(0018,0050), in millimetres"),
    Column("SpacingBetweenSlices", "FLOAT64", "(0018,0088), in millimetres"),
    Column("SliceLocation", "FLOAT64", "(0020,1041), in millimetres"),
    Column("PixelSpacing", "STRING", "(0028,0030): between rows and between columns, in millimetres"),
    Column("ImagePositionPatient", "STRING", "(0020,0032): x, y and z, in millimetres"),
    Column("ImageOrientationPatient", "STRING", "(0020,0037): six direction cosines"),
    Column("PhotometricInterpretation", "STRING", "(0028,0004)"),
    Column("BitsStored", "INT64", "(0028,0101)"),
)
"""Columns of `instance` that are an attribute of the header, or of the Shared Functional Groups, by keyword."""


TABLES: dict[str, tuple[Column, ...]] = {
    "dicom": (
        Column("storage_download", "STRING", "link to the archive"),
        Column("storage_metadataLink", "STRING", "link to the archive's metadata"),
        Column("CodedAccessionNumberID", "STRING", "pseudonym of the study (item suid)"),
        Column("CodedPatientID", "STRING", "pseudonym of the patient (entity suid)"),
        Column("ContentType", "STRING", "media type of the archive"),
        Column("PatientSex", "STRING", "(0010,0040) after de-identification"),
        Column("PatientAge", "STRING", "(0010,1010) after de-identification"),
        Column("Modality", "STRING", "(0008,0060)"),
        Column("StudyDescription", "STRING", "(0008,1030) after de-identification"),
        Column("DicomHeader", "STRING", "JSON of the header values that all images share"),
        Column("batch", "INT64", "always NULL: the order of processing tells true dates"),
        Column("load_id", "STRING", "names one load; rows of a repeated load are not added again"),
        Column("StudyInstanceUID", "STRING", "(0020,000D) after de-identification"),
        Column("study_date", "DATE", "shifted (0008,0020)"),
        Column("storage_uri", "STRING", "URI of the archive"),
        Column("object_name", "STRING", "name of the archive in the store"),
        Column("size_bytes", "INT64", "size of the archive"),
        Column("crc32c", "STRING", "checksum of the archive, base64"),
        Column("image_count", "INT64", "images in the archive"),
        Column("series_count", "INT64", "series in the archive"),
        Column("filtered_count", "INT64", "images withheld by a rule"),
        Column("error_count", "INT64", "files that could not be de-identified"),
        Column("recipe", "STRING", "name of the recipe"),
        Column("recipe_sha256", "STRING", "SHA-256 of the recipe's text"),
        Column("sendit_version", "STRING", "version that de-identified the study"),
        Column("part", "INT64", "number of the archive among those of its study, from 1", absent=1),
        Column("generation", "INT64", "how often the study was made; only the newest rows are kept", absent=1),
        Column("processed_at", "TIMESTAMP", "always NULL: beside a shifted date, a true time tells the shift"),
    ),
    "instance": (
        Column("CodedPatientID", "STRING", "pseudonym of the patient (entity suid)"),
        Column("CodedAccessionNumberID", "STRING", "pseudonym of the study (item suid)"),
        Column("StudyInstanceUID", "STRING", "(0020,000D) after de-identification"),
        Column("SeriesInstanceUID", "STRING", "(0020,000E) after de-identification"),
        Column("SOPInstanceUID", "STRING", "(0008,0018) after de-identification"),
        Column("SOPClassUID", "STRING", "(0008,0016)"),
        Column("TransferSyntaxUID", "STRING", "(0002,0010)"),
        Column("Modality", "STRING", "(0008,0060)"),
        Column("SeriesNumber", "INT64", "(0020,0011)"),
        Column("InstanceNumber", "INT64", "(0020,0013)"),
        Column("Rows", "INT64", "(0028,0010)"),
        Column("Columns", "INT64", "(0028,0011)"),
        Column("NumberOfFrames", "INT64", "(0028,0008)"),
        Column("object_name", "STRING", "name of the archive in the store"),
        Column("member", "STRING", "name of the image inside the archive"),
        Column("offset", "INT64", "first byte of the image's gzip member in the archive"),
        Column("length", "INT64", "length of the image's gzip member"),
        Column("size_bytes", "INT64", "size of the de-identified file"),
        Column("sha256", "STRING", "SHA-256 of the de-identified file, hexadecimal"),
        Column("header", "JSON", "de-identified header as DICOM JSON without bulk data (PS3.18 F)"),
        Column("batch", "INT64", "always NULL: the order of processing tells true dates"),
        Column("load_id", "STRING", "names one load; rows of a repeated load are not added again"),
        Column("part", "INT64", "number of the archive among those of its study, from 1", absent=1),
        Column("generation", "INT64", "how often the study was made; only the newest rows are kept", absent=1),
        *HEADER_COLUMNS,
        Column("orientation", "STRING", "axial, coronal, sagittal or oblique, by (0020,0037)"),
    ),
}
