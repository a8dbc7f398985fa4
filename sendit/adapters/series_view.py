"""The view `series`: a row for each series, in SQL that DuckDB and BigQuery both understand."""

from __future__ import annotations

from collections.abc import Callable

_KEYS = ("CodedPatientID", "CodedAccessionNumberID", "StudyInstanceUID", "SeriesInstanceUID")
_OF_STUDY = ("study_date", "StudyDescription", "PatientSex", "PatientAge")
# fmt: off
_OF_SERIES = (
    "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "ProtocolName", "BodyPartExamined", "Laterality",
    "orientation", "Rows", "Columns", "SliceThickness", "SpacingBetweenSlices", "PixelSpacing", "ContrastBolusAgent",
    "ConvolutionKernel", "KVP", "MagneticFieldStrength", "RepetitionTime", "EchoTime", "FlipAngle", "Manufacturer",
    "ManufacturerModelName", "PhotometricInterpretation", "SOPClassUID", "TransferSyntaxUID",
)
# fmt: on
_COUNTED = (
    "count(*) AS image_count",
    "CAST(sum(coalesce(i.NumberOfFrames, 1)) AS INT64) AS frame_count",
    "count(DISTINCT i.ImagePositionPatient) AS position_count",
    "CAST(sum(i.size_bytes) AS INT64) AS size_bytes",
    "CAST(sum(i.length) AS INT64) AS stored_bytes",
)


def series_view(quoted: Callable[[str], str], instance: str = "instance", dicom: str = "dicom") -> str:
    """Return the view's SELECT. Where the images of a series differ in a value, its row has the smallest one.

    Parameters
    ----------
    quoted : callable
        Writes a name as an identifier of the dialect.
    instance, dicom : str
        The tables, as the dialect writes them.
    """
    keys = [f"i.{quoted(name)}" for name in _KEYS]
    of_series = [f"min(i.{quoted(name)}) AS {quoted(name)}" for name in _OF_SERIES]
    of_study = [f"min(d.{quoted(name)}) AS {quoted(name)}" for name in _OF_STUDY]
    selected = ", ".join([*keys, *of_study, *of_series, *_COUNTED])
    return (
        f"SELECT {selected} FROM {instance} AS i LEFT JOIN {dicom} AS d ON d.load_id = i.load_id"
        f" GROUP BY {', '.join(keys)}"
    )
