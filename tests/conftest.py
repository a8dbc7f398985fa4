"""What every test has: settings of its own, and the canary.

The canary is on for every test: the phantoms' planted identifiers (`tests.support.phantoms.MARKS`) may not show in
what a test prints, logs or warns of, nor, where it has a `site`, in its database, file names, archives, rows or logs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

for name in [
    name for name in os.environ if name.startswith(("SENDIT_", "STANFORD_", "GOOGLE_", "STORAGE_", "BIGQUERY_"))
]:
    del os.environ[name]
SCRATCH = tempfile.TemporaryDirectory(prefix="sendit-tests-")
os.environ["SENDIT_VAR"] = SCRATCH.name
os.environ["DJANGO_SETTINGS_MODULE"] = "sendit.settings"

import django  # noqa: E402 - after the environment that its settings are read from

django.setup()
pytest.register_assert_rewrite("tests.support.aftermath", "tests.support.site")

from tests.support.azurite_server import azure_container, azure_store, azurite  # noqa: E402, F401
from tests.support.google_cloud import google_cloud, google_services  # noqa: E402, F401
from tests.support.identity_server import IdentityServer  # noqa: E402
from tests.support.pacs_destinations import (  # noqa: E402, F401
    dcmqrscp,
    dcmqrscp_server,
    orthanc,
    orthanc_server,
    orthanc_web,
)
from tests.support.phantoms import leaks_in  # noqa: E402
from tests.support.seaweed import s3_bucket, s3_store, seaweed  # noqa: E402, F401
from tests.support.servers import Cluster, Postgres, Valkey  # noqa: E402
from tests.support.site import Site, leaks_under, make_template, migrate  # noqa: E402
from tests.support.sshd import sftp_folder, sftp_store, sshd  # noqa: E402, F401

SHOWN = pytest.StashKey[list[str]]()
WARNED: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "shows_identifiers: the command under test shows them to the operator who asked, on standard output"
    )
    config.addinivalue_line("markers", "on_both_databases: what it asks is asked of SQLite and of PostgreSQL")
    config.addinivalue_line("markers", "on_postgres: its site is on PostgreSQL")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tests that share a server share a worker; pytest-xdist says so in their ids, where it understands pytest."""
    grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
    if session.config.getoption("loadgroup", False) and not all("@" in item.nodeid for item in grouped):
        raise pytest.UsageError("this pytest-xdist keeps no group together under this pytest: see pyproject.toml")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with every migration applied."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, with a migrated, empty database to copy."""
    server = Postgres()
    try:
        server.start()
        server.template = server.create("template1")
        migrate(server.url(server.template))
        yield server
    finally:
        server.remove()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--growing", type=int, default=3, help="studies that grow and are taken back through random kills")
    help = "the database of every site that says nothing of it; those marked `on_both_databases` run once on each"
    parser.addoption("--batches", type=int, default=40, help="of the topology that is killed at random moments")
    parser.addoption("--destination-kills", type=int, default=5, help="of deliveries at random moments")
    parser.addoption("--associations", type=int, default=300, help="mutated associations that a listener suffers")
    parser.addoption("--kills", type=int, default=2, help="of senders and listeners at random moments")
    parser.addoption(
        "--pulled", type=int, default=9, help="studies that are retrieved while the PACS is killed three times"
    )
    parser.addoption(
        "--reviewed", type=int, default=60, help="images that a scripted browser reviews; the bar is for 300"
    )
    about = "a folder for the pictures of docs/web.md, which the test in Chromium takes"
    parser.addoption("--screenshots", metavar="DIR", default="", help=about)
    parser.addoption("--database", choices=["sqlite", "postgres"], default="sqlite", help=help)


@pytest.fixture
def growing_studies(request: pytest.FixtureRequest) -> int:
    """How many studies grow, are taken back and made again while workers are killed."""
    return int(request.config.getoption("--growing"))


@pytest.fixture
def destination_kills(request: pytest.FixtureRequest) -> int:
    """How often a delivery is killed at a random moment."""
    return int(request.config.getoption("--destination-kills"))


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """What a site's database is."""
    return str(request.config.getoption("--database"))


@pytest.fixture
def site(
    tmp_path: Path, template: Path, database: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """A fresh deployment: data folder, database, keys, store, warehouse. Nothing identified may be left in it."""
    if database == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        with server.copy() as name:
            with Site(tmp_path, template, monkeypatch, server.url(name)) as fresh:
                yield fresh
            assert leaks_in(server.texts(name)) == []
    else:
        with Site(tmp_path, template, monkeypatch) as fresh:
            yield fresh
    assert leaks_under(fresh.var) == {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    on_postgres = pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))
    wanted = [mark for mark in metafunc.definition.iter_markers() if mark.name in ("on_both_databases", "on_postgres")]
    if wanted and "site" in metafunc.fixturenames:
        databases = ["sqlite", on_postgres] if wanted[0].name == "on_both_databases" else [on_postgres]
        metafunc.fixturenames.append("database")
        metafunc.parametrize("database", databases)


@pytest.fixture(scope="session")
def identity_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityServer]:
    """The identity service that sendit serves, in processes of its own. No identifier may be left with it."""
    with IdentityServer(tmp_path_factory.mktemp("identity server"), b"a key for the tests of identity only") as server:
        yield server
    assert leaks_under(server.var) == {}


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    """A broker."""
    server = Valkey()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def valkey(valkey_server: Valkey, site: Site) -> Iterator[Valkey]:
    """A broker with nothing in it, and the site on Celery. No message may hold an identifier."""
    from sendit.celery import app

    valkey_server.client.flushall()
    site.set(RUNNER="celery", BROKER=valkey_server.url)
    app.conf.broker_url = valkey_server.url
    yield valkey_server
    assert leaks_in(valkey_server.texts()) == []


@pytest.fixture
def cluster(valkey: Valkey, tmp_path: Path) -> Iterator[Cluster]:
    """Where a test starts Celery's processes. Nothing that they say may hold an identifier."""
    with Cluster(tmp_path) as started:
        yield started
    assert leaks_in(started.said()) == []


@pytest.fixture(autouse=True)
def canary(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test reads from its captured output is looked at too."""
    shown = request.node.stash.setdefault(SHOWN, [])
    read = pytest.CaptureFixture.readouterr

    def reading(self: pytest.CaptureFixture[Any]) -> Any:
        result = read(self)
        shown.extend(str(text) for text in result)
        return result

    monkeypatch.setattr(pytest.CaptureFixture, "readouterr", reading)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "teardown" and not item.get_closest_marker("shows_identifiers"):
        texts = [*(text for _, text in report.sections), *item.stash.get(SHOWN, [])]
        if leaks := leaks_in("\n".join(texts)):
            report.outcome = "failed"
            report.longrepr = f"CANARY: planted identifiers were printed or logged: {leaks}"
    return report


def pytest_warning_recorded(warning_message: Any, nodeid: str) -> None:
    if leaks_in(str(warning_message.message)):
        WARNED.append(nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if WARNED:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for nodeid in WARNED:
        terminalreporter.write_line(f"CANARY: a warning quotes a planted identifier: {nodeid}", red=True)
