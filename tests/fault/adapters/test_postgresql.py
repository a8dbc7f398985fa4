"""The warehouse in PostgreSQL through its failures, and from a study to a query, a page, a download, a withdrawal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sendit.adapters.postgresql.settings import PostgresqlDatabase, parse
from sendit.adapters.postgresql.warehouse import PostgresqlWarehouse
from sendit.errors import Misconfigured, ServiceDown, ServiceRefused
from sendit.web.roles import Role
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.servers import Postgres
from tests.support.shell import run
from tests.support.site import Site

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.owned() as url:
        yield url


def warehouse(url: str) -> PostgresqlWarehouse:
    return PostgresqlWarehouse(PostgresqlDatabase(url, "SENDIT_WAREHOUSE"), "IRB41449")


def test_a_study_is_asked_for_shown_downloaded_and_withdrawn(site: Site, url: str) -> None:
    site.set(WAREHOUSE=url)
    site.study(1, images=3)
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE", batch.errors
    asked = run("query", "SELECT Modality, image_count, tag_number(header, 'Rows') AS r FROM series JOIN instance "
                "USING (SeriesInstanceUID, Modality) LIMIT 1")  # fmt: skip
    assert asked.code == 0 and asked.out.split()[-5:-2] == ["CT", "3", "128.0"], asked
    with web_settings():
        browser = signed_in(a_user(Role.RESEARCHER))
        assert "CT" in browser.get("/warehouse/series?Modality=CT").content.decode()
        assert "BadQuery" not in browser.post("/warehouse", {"sql": "SELECT * FROM study"}).content.decode()
    out = site.var / "downloaded"
    assert run("download", "SELECT SeriesInstanceUID FROM series", str(out)).code == 0
    assert len(list(out.rglob("*.dcm"))) == 3
    assert run("withdraw", "1", "--reason", "consent withdrawn").code == 0
    assert warehouse(url).query("SELECT count(*) FROM instance").rows == [(0,)]


def test_a_superuser_is_refused_because_queries_would_be_its(postgres: Postgres) -> None:
    for ask in ("SELECT 1", "SELECT count(*) FROM dicom"):
        with pytest.raises(Misconfigured, match="no superuser"):
            warehouse(postgres.url("postgres")).query(ask)


def test_a_server_that_is_away_may_come_back_and_a_role_that_is_unknown_is_told(url: str) -> None:
    with pytest.raises(ServiceDown, match="WarehouseDown"):
        warehouse("postgresql://x@127.0.0.1:9/x").query("SELECT 1")
    with pytest.raises((ServiceRefused, ServiceDown)):
        warehouse(url.replace("postgresql://", "postgresql://no")).query("SELECT 1")


def test_a_connection_that_is_cut_is_opened_again(postgres: Postgres, url: str) -> None:
    kept = warehouse(url)
    assert kept.query("SELECT 1").rows == [(1,)]
    name = url.rpartition("/")[2]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    postgres.ask("postgres", cut)
    with pytest.raises(ServiceDown):
        kept.query("SELECT 1")
    assert kept.query("SELECT 1").rows == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('transaction_read_only', 'off', true), set_config('role', 'none', true)",
        "WITH gone AS (DELETE FROM instance RETURNING 1) SELECT * FROM gone",
        "SELECT * INTO other FROM instance",
        "COPY instance TO PROGRAM 'true'",
        "SELECT 1; COMMIT; DROP TABLE instance",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT * FROM instance FOR UPDATE",
        "EXPLAIN ANALYZE DELETE FROM instance",
    ],
)
def test_what_is_more_than_reading_is_refused(url: str, sql: str) -> None:
    kept = warehouse(url)
    kept.count_times()
    with pytest.raises((Misconfigured, ServiceRefused)):
        kept.query(sql)
    assert kept.query("SELECT count(*) FROM instance").rows == [(0,)]


def test_a_query_that_takes_too_long_is_ended(url: str) -> None:
    with pytest.raises(Misconfigured, match="takes too long"):
        warehouse(url).query("SELECT pg_sleep(30)", seconds=0.3)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://a:secret@h/d",
        "postgresql://h/d?options=-c",
        "postgres://h/d",
        "postgresql://h/a/b",
    ],
)
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="BadSetting") as error:
        parse(url, "X")
    assert "secret" not in str(error.value)
