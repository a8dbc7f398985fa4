"""The view `study`: a row for each study, of however many parts, in SQL that DuckDB and BigQuery both understand."""

from __future__ import annotations

from collections.abc import Callable

_KEYS = ("CodedPatientID", "CodedAccessionNumberID")
_OF_STUDY = ("StudyInstanceUID", "study_date", "StudyDescription", "PatientSex", "PatientAge", "Modality")
_SUMMED = ("image_count", "size_bytes", "filtered_count", "error_count")


def study_view(quoted: Callable[[str], str], instance: str = "instance", dicom: str = "dicom") -> str:
    """Return the view's SELECT: of each study the newest generation, all of its parts together.

    Where the parts differ in a value, the row has the smallest one.

    Parameters
    ----------
    quoted : callable
        Writes a name as an identifier of the dialect.
    instance, dicom : str
        The tables, as the dialect writes them.
    """
    keys = [quoted(name) for name in _KEYS]
    generation = f"coalesce({quoted('generation')}, 1)"
    of_study = [f"min({quoted(name)}) AS {quoted(name)}" for name in _OF_STUDY]
    summed = [f"CAST(sum({quoted(name)}) AS INT64) AS {quoted(name)}" for name in _SUMMED]
    parts = ", ".join([*keys, f"{generation} AS made", *of_study, "count(*) AS parts", *summed])
    series = ", ".join([*keys, f"{generation} AS made", "count(DISTINCT SeriesInstanceUID) AS series_count"])
    newest = ", ".join([*keys, f"max({generation}) AS made"])
    by_key = ", ".join(keys)
    shown = ", ".join(f"p.{quoted(name)}" for name in (*_KEYS, *_OF_STUDY, "parts", *_SUMMED))
    return (
        f"SELECT {shown}, s.series_count, p.made AS generation"
        f" FROM (SELECT {parts} FROM {dicom} GROUP BY {by_key}, made) AS p"
        f" JOIN (SELECT {newest} FROM {dicom} GROUP BY {by_key}) AS n"
        f" ON {_same('p', 'n', quoted)} AND p.made = n.made"
        f" LEFT JOIN (SELECT {series} FROM {instance} GROUP BY {by_key}, made) AS s"
        f" ON {_same('p', 's', quoted)} AND p.made = s.made"
    )


def _same(one: str, other: str, quoted: Callable[[str], str]) -> str:
    return " AND ".join(f"{one}.{quoted(name)} = {other}.{quoted(name)}" for name in _KEYS)
