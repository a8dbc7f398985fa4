"""BigQuery: a load goes through a staging table and one MERGE, so it arrives whole and once, even if processes race.

MERGEs that only insert do not see each other's rows and do not conflict: two MERGEs of one load, run at the same time,
would both add its rows. So the job ids make the MERGEs of a load run one after another, and every later one finds the
rows and adds nothing.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sendit import parquet
from sendit.adapters.bigquery.jobs import SERVICE, Jobs
from sendit.adapters.bigquery.tables import BigQueryTables
from sendit.adapters.bigquery.tag_calls import expanded
from sendit.adapters.google_cloud import (
    Patience,
    credentials,
    failures,
    may_pass,
    reason_of,
    speaking_to,
    status_of,
)
from sendit.adapters.per_process import PerProcess
from sendit.adapters.true_times import REMOVED, is_told
from sendit.durable import disk
from sendit.errors import BrokenPromise, Misconfigured
from sendit.ports import TABLES, Column, QueryResult, go_on

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, SchemaField, Table
    from google.cloud.bigquery.job import LoadJob, QueryJob

SCOPE = "https://www.googleapis.com/auth/bigquery"
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LOAD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")


class BigQueryWarehouse:
    """Keeps rows in a data set, which it creates and widens as needed.

    Parameters
    ----------
    project : str
        If empty, the project that the credentials name.
    collection : str
        The data set's id; `-` becomes `_`.
    location : str
        Where the data set is created if it does not exist.
    endpoint : str, optional
        An emulator's URL; if empty, Google.
    anonymous : bool, optional
        Send no credentials, for emulators.
    patience : Patience, optional
    """

    def __init__(
        self,
        project: str,
        collection: str,
        location: str,
        *,
        endpoint: str = "",
        anonymous: bool = False,
        patience: Patience | None = None,
    ) -> None:
        if not _PLAIN.fullmatch(collection):
            raise Misconfigured("BadSetting", subject="SENDIT_GOOGLE_STORAGE_COLLECTION: letters, digits, _ and -")
        self._project, self._endpoint, self._anonymous = project, endpoint, anonymous
        self._dataset = collection.replace("-", "_")
        self._patience = patience or Patience()
        self._client = PerProcess(self._make_client).get
        self._tables = BigQueryTables(self._client, self._dataset, location, self._patience)

    def load(self, table: str, rows: Path, load_id: str, check: Callable[[], None] = go_on) -> int:
        """Load a Parquet file in the table's schema once, and return how many rows it has.

        If the load id is already known, nothing is added or changed: a load id names an archive, and the object store
        has made sure that the archive is the same.

        Raises
        ------
        BrokenPromise
            `RowsFile`: the file is not in the table's schema, or its rows carry another load id. `LoadName`: there is
            no such table, or the load id is not legal.
        Misconfigured
            `TableSchema`: an existing table cannot take our rows.
        ServiceRefused
            `LoadRefused`, `AccessDenied`, `CredentialsRefused`, `RequestRefused`.
        ServiceDown
            `WarehouseDown`: a job may still be running; a repeated load waits for it to end.
        """
        if table not in TABLES or not _LOAD.fullmatch(load_id):
            raise BrokenPromise("LoadName")
        with disk("warehouse"):
            count = parquet.count_rows(rows, TABLES[table], load_id=load_id)
            with speaking_to(SERVICE), ExitStack() as on_failure:
                on_failure.callback(self._tables.forget, table)
                jobs = Jobs(self._client, self._tables.make_ready(table), self._patience, check)
                staging = self._stage(table, rows, jobs)
                self._merge(table, staging.table_id, load_id, jobs)
                on_failure.pop_all()
                with suppress(*failures()):  # BigQuery removes it after a day in any case
                    self._tables.remove(staging)
        return count

    def remove(self, table: str, load_id: str, check: Callable[[], None] = go_on) -> None:
        """Remove the rows of a load by one DELETE, after every MERGE of that load has ended.

        BigQuery's time travel and fail-safe keep the rows for some days; no row is in a streaming buffer, as all
        come by load jobs.

        Raises
        ------
        ServiceDown, ServiceRefused
            As for `load`.
        """
        from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

        if table not in TABLES or not _LOAD.fullmatch(load_id):
            raise BrokenPromise("LoadName")
        with speaking_to(SERVICE):
            if not self._tables.is_there(table):
                return
            jobs = Jobs(self._client, self._tables.make_ready(table), self._patience, check)
            sql = f"DELETE FROM `{self._dataset}`.`{table}` WHERE load_id = @load_id"
            config = QueryJobConfig(query_parameters=[ScalarQueryParameter("load_id", "STRING", load_id)])
            terms: dict[str, Any] = {"retry": None, "job_retry": None, "timeout": self._patience.answer_seconds}
            jobs.run_in_turn(
                self._turn_of(table, load_id),
                lambda job_id: self._client().query(
                    sql, config, job_id=job_id, location=jobs.location or None, **terms
                ),
            )

    def query(self, sql: str, seconds: float | None = None) -> QueryResult:
        """Run one SELECT. A dry run tells the kind of the statement before anything runs.

        Raises
        ------
        Misconfigured
            `BadQuery`: the statement is of another kind, cannot be run, or takes longer than `seconds`.
        """
        sql = expanded(sql)
        with speaking_to(SERVICE):
            for table in TABLES:
                location = self._tables.make_ready(table)
            self._tables.offer_views()
            self._check(sql, location)
            try:
                answer = self._ask(sql, location, seconds=seconds).result(**self._patience.terms)
                rows = [row.values() for row in answer]
            except failures() as error:
                raise _bad_query(error, reason_of(error)) or error from None
        return QueryResult(tuple(field.name for field in answer.schema), _with_json_as_text(answer.schema, rows))

    def count_times(self) -> int:
        """Count the rows that tell when their batch was processed; a missing table is not created."""
        with speaking_to(SERVICE):
            return sum(self._count_times(table) for table in REMOVED if self._tables.is_there(table))

    def remove_times(self) -> int:
        """Remove those times with one UPDATE per table, and return how many rows held one.

        BigQuery's time travel still shows the old rows for up to seven days.

        Raises
        ------
        ServiceDown, ServiceRefused
            As for `load`.
        """
        with speaking_to(SERVICE):
            return sum(self._remove_times(table) for table in REMOVED if self._tables.is_there(table))

    def _count_times(self, table: str) -> int:
        location = self._tables.make_ready(table)
        answer = self._ask(f"SELECT count(*) FROM {table} WHERE {is_told(table)}", location)
        [row] = answer.result(**self._patience.terms)
        return int(row[0])

    def _remove_times(self, table: str) -> int:
        count = self._count_times(table)
        if count:
            jobs = Jobs(self._client, self._tables.make_ready(table), self._patience, go_on)
            changes = ", ".join(f"`{name}` = {value}" for name, value in REMOVED[table].items())
            sql = f"UPDATE `{self._dataset}`.`{table}` SET {changes} WHERE {is_told(table)}"
            terms: dict[str, Any] = {"retry": None, "job_retry": None, "timeout": self._patience.answer_seconds}
            jobs.run_in_turn(
                f"sendit-times-{secrets.token_hex(8)}",
                lambda job_id: self._client().query(sql, job_id=job_id, location=jobs.location or None, **terms),
            )
        return count

    def _stage(self, table: str, rows: Path, jobs: Jobs) -> Table:
        """Load the file's rows into a staging table of this load's own; only an empty one, so that no row doubles."""
        from google.cloud.bigquery import LoadJobConfig

        token = secrets.token_hex(8)
        staging = self._tables.make_staging(table, token)
        config = LoadJobConfig(source_format="PARQUET", schema=staging.schema, write_disposition="WRITE_EMPTY")
        terms: dict[str, Any] = {"location": jobs.location or None, "num_retries": 0, "timeout": self._patience.timeout}

        def begin() -> LoadJob:
            with parquet.completed(rows, TABLES[table]) as whole, whole.open("rb") as file:
                return self._client().load_table_from_file(
                    file, staging, job_id=f"sendit-load-{token}", job_config=config, **terms
                )

        jobs.run(f"sendit-load-{token}", begin)
        return staging

    def _merge(self, table: str, staging: str, load_id: str, jobs: Jobs) -> None:
        """Merge the staging table into the table. On failure the staging table stays, because the job may still run."""
        from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

        sql = _merge_statement(f"`{self._dataset}`.`{table}`", f"`{self._dataset}`.`{staging}`", TABLES[table])
        config = QueryJobConfig(query_parameters=[ScalarQueryParameter("load_id", "STRING", load_id)])
        terms: dict[str, Any] = {"retry": None, "job_retry": None, "timeout": self._patience.answer_seconds}

        def begin(job_id: str) -> QueryJob:
            return self._client().query(sql, config, job_id=job_id, location=jobs.location or None, **terms)

        jobs.run_in_turn(self._turn_of(table, load_id), begin)

    def _turn_of(self, table: str, load_id: str) -> str:
        """The name that the jobs about one load share, so that they run one after another."""
        digest = hashlib.sha256(f"{self._dataset}.{table}.{load_id}".encode()).hexdigest()[:40]
        return f"sendit-merge-{digest}"

    def _check(self, untrusted_sql: str, location: str) -> None:
        if not untrusted_sql.strip():
            raise Misconfigured("BadQuery")
        try:
            kind = self._ask(untrusted_sql, location, dry_run=True).statement_type
        except failures() as error:
            raise _bad_query(error, _said(error)) or error from None
        if kind != "SELECT":
            raise Misconfigured("BadQuery", subject="one statement, and one that only reads the tables")

    def _ask(self, sql: str, location: str, dry_run: bool = False, seconds: float | None = None) -> QueryJob:
        from google.cloud.bigquery import DatasetReference, QueryJobConfig

        tables = DatasetReference(self._client().project, self._dataset)
        config = QueryJobConfig(default_dataset=tables, dry_run=dry_run, use_query_cache=not dry_run)
        if seconds is not None:
            config.job_timeout_ms = int(seconds * 1000)
        return self._client().query(sql, config, location=location or None, **self._patience.terms)

    def _make_client(self) -> Client:
        from google.cloud.bigquery import Client

        found, project = credentials(SCOPE, self._anonymous)
        if not (self._project or project):
            raise Misconfigured("BadSetting", subject="SENDIT_GOOGLE_PROJECT_NAME: the project's id")
        options = {"api_endpoint": self._endpoint} if self._endpoint else None
        return Client(project=self._project or project, credentials=found, client_options=options)


def _merge_statement(known: str, new: str, columns: Sequence[Column]) -> str:
    """Return the MERGE; the constant in its ON clause lets BigQuery read one cluster of `known` only."""
    names = ", ".join(f"`{column.name}`" for column in columns)
    values = ", ".join(_value(column) for column in columns)
    return (
        f"MERGE {known} AS known USING {new} AS new ON known.load_id = new.load_id AND known.load_id = @load_id"
        f" WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
    )


def _value(column: Column) -> str:
    """Return the SQL of a column's value. Headers hold numbers of any length; BigQuery accepts them only if rounded."""
    if column.type == "JSON":
        return f"PARSE_JSON(new.`{column.name}`, wide_number_mode=>'round')"
    return f"new.`{column.name}`"


def _bad_query(error: Exception, subject: str) -> Misconfigured | None:
    """Return the error if the statement itself is at fault, or None."""
    if may_pass(error) or status_of(error) not in (http.client.BAD_REQUEST, http.client.NOT_FOUND):
        return None
    return Misconfigured("BadQuery", subject=subject or None)


def _said(error: Exception) -> str:
    """Return BigQuery's message about a statement that it has not run: it quotes the statement and names, no values."""
    details = getattr(error, "errors", None)
    return str(details[0].get("message", "")).partition("\n")[0] if details else ""


def _with_json_as_text(schema: Sequence[SchemaField], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Turn JSON into text, as every warehouse returns it."""
    places = {place for place, field in enumerate(schema) if field.field_type == "JSON"}
    return [tuple(_text(value) if place in places else value for place, value in enumerate(row)) for row in rows]


def _text(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
