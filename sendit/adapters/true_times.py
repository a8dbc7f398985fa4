"""What rows of earlier versions say of the time at which a batch was processed, in SQL for every warehouse.

Dates in the tables are shifted, and often a study is processed on the day it was made: each of these values, beside a
shifted date, is the shift or comes close to it.
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
"""By table: what takes the place of each value that tells a time. A batch's number tells the order in which studies
came, and the generation in Cloud Storage's links is the microsecond at which the archive was stored."""

_TOLD = {"storage_download": "storage_download LIKE '%generation=%'"}


def is_told(table: str) -> str:
    """The condition under which a row tells a time."""
    return " OR ".join(_TOLD.get(name, f"{name} IS NOT NULL") for name in REMOVED[table])
