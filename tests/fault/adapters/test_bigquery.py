"""BigQuery that fails in every way it can: every row once afterwards, or a word why not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sendit.adapters.bigquery.jobs import Jobs
from sendit.adapters.bigquery.tables import LAYOUTS, STAGING, STAGING_LIFE
from sendit.errors import Misconfigured, ServiceDown, ServiceRefused
from sendit.pipeline.stages.rows import write_parquet
from sendit.ports import TABLES, go_on
from tests.support.google_cloud import FOR_EVER, ONE_WORKER, QUICK, GoogleCloud, ask
from tests.support.processes import at_once

pytestmark = ONE_WORKER

ROWS = 5
PAGE = Path(__file__).parents[3] / "docs/google.md"
SAID = "Ashcroft^Marianne"
FIND, MAKE_SET, MAKE = "GET /bigquery", "POST /bigquery/v2/projects/{}/datasets?", "/tables?"
BEGIN_LOAD, LOAD, REMOVE = "POST /upload", "PUT /upload", "DELETE /bigquery"
MERGE = "POST /bigquery/v2/projects/{}/jobs?"
HASTY = replace(QUICK, answer_seconds=2)
IMPATIENT = replace(QUICK, answer_seconds=2, retry_seconds=0.3, job_seconds=0.5)


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "one", count: int = ROWS) -> Path:
        path = tmp_path / f"{name}.parquet"
        write_parquet("instance", ({"load_id": name, "InstanceNumber": number} for number in range(count)), path)
        return path

    return make


def staging_of(cloud: GoogleCloud) -> list[str]:
    return [name for name in cloud.tables() if name.startswith(STAGING)]


def make_table(cloud: GoogleCloud, table: str, *fields: dict[str, str]) -> None:
    """One that was there before us, in the emulator."""
    sets = f"{cloud.bigquery.direct}/bigquery/v2/projects/{cloud.project}/datasets"
    ask(sets, {"datasetReference": {"projectId": cloud.project, "datasetId": cloud.collection}})
    place = {"projectId": cloud.project, "datasetId": cloud.collection, "tableId": table}
    ask(f"{sets}/{cloud.collection}/tables", {"tableReference": place, "schema": {"fields": list(fields)}})


# ---------------------------------------------------------------------------------------------- what it makes


def test_the_data_set_and_its_tables_are_made_as_researchers_ask_them(google_cloud: GoogleCloud, rows: Any) -> None:
    warehouse = google_cloud.warehouse()
    warehouse.load("instance", rows(), "one")
    warehouse.query("SELECT 1 AS one")
    sets = f"{google_cloud.bigquery.direct}/bigquery/v2/projects/{google_cloud.project}/datasets"
    assert ask(f"{sets}/{google_cloud.collection}")["location"] == "EU"
    tables = google_cloud.tables()
    assert tables.pop("series") and tables.pop("study")
    assert set(tables) == set(TABLES)
    for name, table in tables.items():
        fields = [(field["name"], field["type"], field["description"]) for field in table["schema"]["fields"]]
        assert fields == [(column.name, column.type, column.description) for column in TABLES[name]]
        assert table["clustering"]["fields"] == list(LAYOUTS[name].sorted_by)
    assert tables["dicom"]["timePartitioning"] == {"type": "MONTH", "field": "study_date"}
    assert "timePartitioning" not in tables["instance"]


@pytest.mark.parametrize("name", TABLES)
def test_a_layout_is_one_that_bigquery_takes(name: str) -> None:
    columns = {column.name: column.type for column in TABLES[name]}
    assert len(LAYOUTS[name].sorted_by) <= 4
    assert {columns[column] for column in LAYOUTS[name].sorted_by} <= {"STRING", "INT64", "DATE"}
    assert LAYOUTS[name].month_of is None or columns[LAYOUTS[name].month_of] == "DATE"


def test_a_collection_whose_name_is_no_data_sets_is_made_one(google_cloud: GoogleCloud, rows: Any) -> None:
    google_cloud.collection = "IRB_41449_b"
    google_cloud.warehouse("IRB-41449-b").load("instance", rows(), "one")
    assert google_cloud.count("instance") == ROWS


@pytest.mark.parametrize("collection", ["", "a b", "a`b", "a.b", "ü"])
def test_a_collection_that_can_name_nothing_is_a_bad_setting(google_cloud: GoogleCloud, collection: str) -> None:
    with pytest.raises(Misconfigured, match="BadSetting"):
        google_cloud.warehouse(collection)


def test_without_a_project_nothing_can_be_asked(google_cloud: GoogleCloud, rows: Any) -> None:
    google_cloud.project = ""
    with pytest.raises(Misconfigured, match=r"BadSetting.*GOOGLE_PROJECT_NAME"):
        google_cloud.warehouse().load("instance", rows(), "one")


def test_a_staging_table_has_an_end_of_life_and_is_gone_before(google_cloud: GoogleCloud, rows: Any) -> None:
    google_cloud.warehouse().load("instance", rows(), "one")
    assert staging_of(google_cloud) == []
    made = [json.loads(one["text"]) for one in google_cloud.bigquery.requests(MAKE) if STAGING in one["text"]]
    (created,) = google_cloud.bigquery.requests(REMOVE)
    assert STAGING in created["way"]
    (staging,) = made
    assert int(staging["expirationTime"]) > STAGING_LIFE.total_seconds() * 1000


def test_a_table_of_the_fields_keeps_its_rows_and_columns_and_gets_ours(google_cloud: GoogleCloud, rows: Any) -> None:
    """The seed system's ten columns, and one that a site has added."""
    ten = [{"name": column.name, "type": "STRING"} for column in TABLES["dicom"][:10]]
    make_table(google_cloud, "dicom", {"name": "site_note", "type": "STRING"}, *ten)
    place = f"`{google_cloud.project}.{google_cloud.collection}.dicom`"
    google_cloud.rows(f"INSERT INTO {place} (site_note, Modality) VALUES ('old', 'MR')")
    path = rows().with_name("d.parquet")
    write_parquet("dicom", [{"load_id": "one", "Modality": "CT", "size_bytes": 7}], path)
    google_cloud.warehouse().load("dicom", path, "one")
    assert set(google_cloud.warehouse().query("SELECT * FROM dicom").columns) == {
        "site_note",
        *(column.name for column in TABLES["dicom"]),
    }
    found = google_cloud.rows(f"SELECT site_note, Modality, size_bytes FROM {place} ORDER BY Modality")
    assert found == [(None, "CT", "7"), ("old", "MR", None)]


@pytest.mark.parametrize(
    "field",
    [
        {"name": "InstanceNumber", "type": "STRING"},
        {"name": "instancenumber", "type": "STRING"},
        {"name": "load_id", "type": "STRING", "mode": "REPEATED"},
        {"name": "site_note", "type": "STRING", "mode": "REQUIRED"},
    ],
)
def test_a_table_that_cannot_take_our_rows_is_left_as_it_is(
    google_cloud: GoogleCloud, rows: Any, field: dict[str, str]
) -> None:
    make_table(google_cloud, "instance", field)
    with pytest.raises(Misconfigured, match=rf"TableSchema \(instance, (?i:{field['name']})\)"):
        google_cloud.warehouse().load("instance", rows(), "one")
    assert len(google_cloud.tables()["instance"]["schema"]["fields"]) == 1


def test_a_table_may_be_widened_by_several_at_once(google_cloud: GoogleCloud, rows: Any) -> None:
    make_table(google_cloud, "instance", {"name": "load_id", "type": "STRING"})
    works = [partial(google_cloud.warehouse().load, "instance", rows(name), name) for name in ("one", "two", "three")]
    assert at_once(*works) == [ROWS] * 3
    assert google_cloud.count("instance") == 3 * ROWS


def test_tables_that_somebody_removes_are_made_again(google_cloud: GoogleCloud, rows: Any) -> None:
    warehouse = google_cloud.warehouse()
    warehouse.load("instance", rows(), "one")
    place = f"projects/{google_cloud.project}/datasets/{google_cloud.collection}/tables/instance"
    ask(f"{google_cloud.bigquery.direct}/bigquery/v2/{place}", method="DELETE")
    with pytest.raises(ServiceRefused):
        warehouse.load("instance", rows(), "one")
    assert warehouse.load("instance", rows(), "one") == ROWS
    assert google_cloud.count("instance") == ROWS


def test_the_pages_examples_are_run(google_cloud: GoogleCloud, rows: Any, tmp_path: Path) -> None:
    warehouse, header = google_cloud.warehouse(), '{"00180050":{"vr":"DS","Value":[1.25]}}'
    for table, values in {
        "dicom": {"study_date": "2011-05-01", "Modality": "CT"},
        "instance": {"header": header},
    }.items():
        write_parquet(table, [{"load_id": "one", **values}], tmp_path / table)
        warehouse.load(table, tmp_path / table, "one")
    (sql,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.S)
    answer = warehouse.query(sql)
    assert [row[answer.columns.index("slice_thickness")] for row in answer.rows] == ["1.25"]


# ---------------------------------------------------------------------------------------------- it fails and recovers

STEPS = [FIND, MAKE_SET, MAKE, BEGIN_LOAD, LOAD, MERGE]


@pytest.mark.parametrize(
    "how",
    [
        {"status": 429, "times": 2},
        {"status": 500},
        {"status": 502},
        {"status": 503, "times": 2},
        {"status": 504},
        {"status": 403, "body": {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}},
        {"then": "cut"},
        {"then": "lose"},
    ],
    ids=["429", "500", "502", "503", "504", "rate", "cut", "lose"],
)
def test_every_request_may_fail_and_the_rows_come_in_once(
    google_cloud: GoogleCloud, rows: Any, how: dict[str, Any]
) -> None:
    for step in STEPS:
        google_cloud.bigquery.fail(step.format(google_cloud.project), **how)
    assert google_cloud.warehouse().load("instance", rows(), "one") == ROWS
    assert google_cloud.count("instance") == ROWS
    assert staging_of(google_cloud) == []


@pytest.mark.parametrize("match", [LOAD, MERGE])
def test_silence_has_an_end(google_cloud: GoogleCloud, rows: Any, match: str) -> None:
    warehouse = google_cloud.warehouse(patience=HASTY)
    warehouse.load("instance", rows(), "one")
    google_cloud.bigquery.fail(match.format(google_cloud.project), "hang", seconds=3)
    warehouse.load("instance", rows("two"), "two")
    assert google_cloud.count("instance") == 2 * ROWS


def test_a_merge_whose_answer_is_lost_for_good_is_found_the_next_time(google_cloud: GoogleCloud, rows: Any) -> None:
    """Nothing is answered but the load's two requests."""
    google_cloud.bigquery.fail(MERGE.format(google_cloud.project), "lose")
    google_cloud.bigquery.fail(
        f"/{google_cloud.project}/jobs", status=503, times=FOR_EVER, skip=2
    )  # but for the load's
    with pytest.raises(ServiceDown, match="WarehouseDown"):
        google_cloud.warehouse(patience=IMPATIENT).load("instance", rows(), "one")
    assert google_cloud.count("instance") == ROWS
    google_cloud.bigquery.reset()
    assert google_cloud.warehouse().load("instance", rows(), "one") == ROWS
    assert google_cloud.count("instance") == ROWS


def test_patience_ends(google_cloud: GoogleCloud, rows: Any) -> None:
    google_cloud.bigquery.fail("", status=503, times=FOR_EVER)
    with pytest.raises(ServiceDown, match="WarehouseDown"):
        google_cloud.warehouse(patience=IMPATIENT).load("instance", rows(), "one")
    assert len(google_cloud.bigquery.requests()) > 1


def test_a_staging_table_that_cannot_be_removed_is_no_reason_to_fail(google_cloud: GoogleCloud, rows: Any) -> None:
    google_cloud.bigquery.fail(REMOVE, status=403)
    google_cloud.warehouse().load("instance", rows(), "one")
    assert google_cloud.count("instance") == ROWS
    assert len(staging_of(google_cloud)) == 1


@pytest.mark.parametrize(
    "error",
    [
        {"reason": "invalidQuery", "message": "Could not serialize access to table x due to concurrent update"},
        {"reason": "resourcesExceeded", "message": "Too many DML statements outstanding against table x, limit is 20."},
        {"reason": "backendError", "message": "Retrying may solve the problem."},
    ],
)
def test_a_merge_that_others_are_in_the_way_of_is_tried_again(
    google_cloud: GoogleCloud, rows: Any, error: dict[str, str]
) -> None:
    google_cloud.bigquery.fail(MERGE.format(google_cloud.project), status=200, body=ended(google_cloud, error), times=2)
    google_cloud.warehouse().load("instance", rows(), "one")
    assert google_cloud.count("instance") == ROWS


def ended(cloud: GoogleCloud, error: dict[str, str]) -> dict[str, Any]:
    """A query's job that ended badly."""
    return {
        "jobReference": {"projectId": cloud.project, "jobId": "any", "location": "EU"},
        "configuration": {"query": {"query": ""}, "jobType": "QUERY"},
        "status": {"state": "DONE", "errorResult": error, "errors": [error]},
    }


@pytest.mark.parametrize(
    ("reason", "code"), [("invalid", "LoadRefused (invalid)"), ("accessDenied", "AccessDenied"), (SAID, "LoadRefused:")]
)
def test_a_job_that_ends_badly_is_told_by_its_reason_and_never_by_its_words(
    google_cloud: GoogleCloud, rows: Any, reason: str, code: str
) -> None:
    google_cloud.bigquery.fail(
        MERGE.format(google_cloud.project), status=200, body=ended(google_cloud, {"reason": reason, "message": SAID})
    )
    with pytest.raises(ServiceRefused) as raised:
        google_cloud.warehouse().load("instance", rows(), "one")
    assert code in str(raised.value) and SAID not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (401, "CredentialsRefused"), (400, "RequestRefused")]
)
def test_a_no_is_told_apart_at_every_request(google_cloud: GoogleCloud, rows: Any, status: int, code: str) -> None:
    warehouse, path = google_cloud.warehouse(), rows()
    for step in STEPS:
        google_cloud.bigquery.fail(step.format(google_cloud.project), status=status, body={"error": {"message": SAID}})
        with pytest.raises(ServiceRefused, match=code) as raised:
            warehouse.load("instance", path, "one")
        assert SAID not in str(raised.value) and "http" not in str(raised.value)
    assert warehouse.load("instance", path, "one") == ROWS


# ---------------------------------------------------------------------------------------------- many at once


def test_the_merges_of_one_load_never_run_at_the_same_time(google_cloud: GoogleCloud, rows: Any) -> None:
    """Two that did would both add their rows: BigQuery sees no conflict between statements that only insert."""
    google_cloud.warehouse().query("SELECT 1 AS one")
    path = rows("one", 2000)
    work = partial(google_cloud.warehouse().load, "instance", path, "one")
    assert at_once(*[work] * 4) == [2000] * 4
    merges = sorted((job["began"], job["ended"]) for job in google_cloud.jobs() if "sendit-merge" in job["job"])
    assert len(merges) >= 4
    assert all(ended <= began for (_, ended), (began, _) in pairwise(merges))
    assert google_cloud.count("instance") == 2000


class Job:
    """One that runs for ever, or ends when it is told."""

    def __init__(self, *states: str) -> None:
        self._states, self.error_result = list(states), None

    @property
    def state(self) -> str:
        return self._states[0]

    def reload(self, **terms: object) -> None:
        if len(self._states) > 1:
            del self._states[0]


def test_a_job_that_does_not_end_is_left_alone_and_the_batch_waits() -> None:
    jobs = Jobs(lambda: None, "", replace(QUICK, job_seconds=0.2), go_on)  # type: ignore[arg-type, return-value]
    with pytest.raises(ServiceDown, match="WarehouseDown"):
        jobs.run("any", lambda: Job("PENDING", "RUNNING"))
    jobs.run("any", lambda: Job("PENDING", "RUNNING", "DONE"))


def test_who_waits_for_a_job_is_asked_whether_to_go_on() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    checks = iter([go_on, go_on, stop])
    jobs = Jobs(lambda: None, "", QUICK, lambda: next(checks)())  # type: ignore[arg-type, return-value]
    with pytest.raises(KeyboardInterrupt):
        jobs.run("any", lambda: Job("RUNNING"))
