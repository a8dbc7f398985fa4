"""SQL, for every warehouse, that finds and removes what rows of earlier versions tell of when a batch was processed.

Dates in the tables are shifted, and a study is often processed on the day it was made. So the difference between such a
time and a shifted date in the same row is the date shift, or close to it.
"""

from __future__ import annotations

REMOVED: dict[str, dict[str, str]] = {
    "dicom": {
        "processed_at": "NULL",
        "batch": "NULL",
        "storage_download": "REGEXP_REPLACE(storage_download, 'generation=[0-9]+&?', '')",
    },
    "instance": {"batch": "NULL"},
}
"""For each table, what replaces each value that tells a time. A batch's number tells the order in which studies
arrived, and the generation in Cloud Storage's links is the microsecond at which the archive was stored."""

_TOLD = {"storage_download": "storage_download LIKE '%generation=%'"}


def is_told(table: str) -> str:
    """Return the SQL condition for rows that tell a time."""
    return " OR ".join(_TOLD.get(name, f"{name} IS NOT NULL") for name in REMOVED[table])
