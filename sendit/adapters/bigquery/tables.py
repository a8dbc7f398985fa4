"""The tables of a BigQuery data set: created when missing, given the columns that they lack, never narrowed."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sendit.adapters.bigquery.jobs import Jobs
from sendit.adapters.google_cloud import Patience, failures, status_of
from sendit.adapters.series_view import series_view
from sendit.adapters.study_view import study_view
from sendit.errors import Misconfigured
from sendit.ports import TABLES, Column, go_on

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, SchemaField, Table

STAGING = "sendit_staging_"
STAGING_LIFE = timedelta(days=1)
"""BigQuery removes a staging table after this time if no worker has; a MERGE may wait six hours for its turn."""
_SAME_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64"}
"""BigQuery's legacy names of types, and their names in GoogleSQL."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How BigQuery stores a table: partitioned by month of a DATE column or not at all, and clustered by columns."""

    month_of: str | None
    sorted_by: tuple[str, ...]


LAYOUTS = {
    "dicom": Layout("study_date", ("Modality", "CodedPatientID", "load_id")),
    "instance": Layout(None, ("load_id", "SeriesInstanceUID", "SOPClassUID")),
}
"""A load id begins with the patient's pseudonym and the study's date, so a MERGE reads one small part of `instance`."""


class BigQueryTables:
    """The tables of one data set.

    Parameters
    ----------
    client : callable
        Returns the client.
    dataset : str
        The data set's id, in the client's project.
    location : str
        Where the data set is created if it does not exist.
    patience : Patience
    """

    def __init__(self, client: Callable[[], Client], dataset: str, location: str, patience: Patience) -> None:
        self._client, self._dataset, self._patience = client, dataset, patience
        self._wanted_location = location
        self._locations: dict[str, str] = {}
        self._has_views = False

    def make_ready(self, table: str) -> str:
        """Create or widen the table if needed, and return its location. Later calls look again only after `forget`.

        Raises
        ------
        Misconfigured
            `TableSchema`: an existing table cannot take our rows.
        """
        if table not in self._locations:
            found = self._found(table) or self._made(table)
            self._widen(found, TABLES[table])
            self._locations[table] = found.location or ""
        return self._locations[table]

    def offer_views(self) -> None:
        """Create or renew the views `series` and `study`, once; an account that may not create views goes without."""
        if self._has_views:
            return
        names = [f"`{self._dataset}`.`{table}`" for table in ("instance", "dicom")]
        for view, select in (("series", series_view), ("study", study_view)):
            sql = f"CREATE OR REPLACE VIEW `{self._dataset}`.`{view}` AS {select(_quoted, *names)}"
            with suppress(*failures()):
                self._client().query(sql, **self._patience.terms).result(**self._patience.terms)
        self._has_views = True

    def is_there(self, table: str) -> bool:
        return table in self._locations or self._found(table) is not None

    def forget(self, table: str) -> None:
        """Make the next call look again, because the table may have been removed."""
        self._locations.pop(table, None)

    def make_staging(self, table: str, token: str) -> Table:
        """Create an empty table for rows as Parquet holds them; BigQuery removes it after `STAGING_LIFE`."""
        staging = self._new(f"{STAGING}{table}_{token}", TABLES[table], json_as="STRING")
        staging.expires = datetime.now(UTC) + STAGING_LIFE
        return self._client().create_table(staging, exists_ok=True, **self._patience.terms)

    def remove(self, table: Table) -> None:
        """Remove the table; it is no error if it does not exist."""
        self._client().delete_table(table, not_found_ok=True, **self._patience.terms)

    def _found(self, table: str) -> Table | None:
        try:
            return self._client().get_table(self._name(table), **self._patience.terms)
        except failures() as error:
            if status_of(error) == http.client.NOT_FOUND:
                return None
            raise

    def _made(self, table: str) -> Table:
        """Create the table, and the data set only if BigQuery says that it is missing.

        So an account without the right to create data sets works, if its administrator has created one.
        """
        from google.cloud.bigquery import TimePartitioning

        wanted, layout = self._new(table, TABLES[table]), LAYOUTS[table]
        wanted.clustering_fields = list(layout.sorted_by)
        if layout.month_of:
            wanted.time_partitioning = TimePartitioning(type_="MONTH", field=layout.month_of)
        try:
            return self._client().create_table(wanted, exists_ok=True, **self._patience.terms)
        except failures() as error:
            if status_of(error) != http.client.NOT_FOUND:
                raise
        self._make_dataset()
        return self._client().create_table(wanted, exists_ok=True, **self._patience.terms)

    def _make_dataset(self) -> None:
        from google.cloud.bigquery import Dataset

        dataset = Dataset(f"{self._client().project}.{self._dataset}")
        dataset.location = self._wanted_location
        self._client().create_dataset(dataset, exists_ok=True, **self._patience.terms)

    def _widen(self, table: Table, columns: Sequence[Column]) -> None:
        """Add the missing columns in one statement, which is safe if another process runs the same one."""
        if missing := _missing(table, columns):
            added = ", ".join(map(_addition, missing))
            sql = f"ALTER TABLE `{self._dataset}`.`{table.table_id}` {added}"
            job_id, location = f"sendit-widen-{secrets.token_hex(8)}", table.location or ""
            terms: dict[str, Any] = {"retry": None, "job_retry": None, "timeout": self._patience.answer_seconds}
            jobs = Jobs(self._client, location, self._patience, go_on)
            jobs.run(job_id, lambda: self._client().query(sql, job_id=job_id, location=location or None, **terms))

    def _new(self, table: str, columns: Sequence[Column], json_as: str = "JSON") -> Table:
        from google.cloud.bigquery import Table

        return Table(self._name(table), schema=_fields(columns, json_as))

    def _name(self, table: str) -> str:
        return f"{self._client().project}.{self._dataset}.{table}"


def _fields(columns: Sequence[Column], json_as: str = "JSON") -> list[SchemaField]:
    from google.cloud.bigquery import SchemaField

    types = {"JSON": json_as}
    return [
        SchemaField(column.name, types.get(column.type, column.type), description=column.description)
        for column in columns
    ]


def _missing(table: Table, columns: Sequence[Column]) -> list[Column]:
    """Return the columns that the table lacks. Columns that sendit does not know may stay unless they are REQUIRED."""
    there = {field.name.lower(): field for field in table.schema}
    missing = []
    for column in columns:
        field = there.pop(column.name.lower(), None)
        if field is None:
            missing.append(column)
        elif _SAME_TYPES.get(field.field_type, field.field_type) != column.type or field.mode == "REPEATED":
            raise Misconfigured("TableSchema", subject=f"{table.table_id}, {column.name}")
    for field in there.values():
        if field.mode == "REQUIRED":
            raise Misconfigured("TableSchema", subject=f"{table.table_id}, {field.name}")
    return missing


def _quoted(name: str) -> str:
    return f"`{name}`"


def _addition(column: Column) -> str:
    """Return the clause that adds a column; a JSON string is also a valid string literal in BigQuery."""
    options = f"OPTIONS (description = {json.dumps(column.description)})"
    return f"ADD COLUMN IF NOT EXISTS `{column.name}` {column.type} {options}"
