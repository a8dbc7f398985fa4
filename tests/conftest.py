"""What every test has: settings of its own, and the canary.

The canary is on for every test: the phantoms' planted identifiers (`tests.phantoms.MARKS`) may not show in what a test
prints, logs or warns of, nor, where it has a `site`, in its database, file names, archives, rows or logs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

for name in [name for name in os.environ if name.startswith(("SENDIT_", "STANFORD_"))]:
    del os.environ[name]
SCRATCH = tempfile.TemporaryDirectory(prefix="sendit-tests-")
os.environ["SENDIT_VAR"] = SCRATCH.name
os.environ["DJANGO_SETTINGS_MODULE"] = "sendit.settings"

import django  # noqa: E402 - after the environment that its settings are read from

django.setup()
pytest.register_assert_rewrite("tests.aftermath", "tests.site")

from tests.phantoms import leaks_in  # noqa: E402
from tests.site import Site, leaks_under, make_template  # noqa: E402

SHOWN = pytest.StashKey[list[str]]()
WARNED: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "shows_identifiers: the command under test shows them to the operator who asked, on standard output"
    )


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with every migration applied."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def site(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A fresh deployment: data folder, database, keys, store, warehouse. Nothing identified may be left in it."""
    with Site(tmp_path, template, monkeypatch) as fresh:
        yield fresh
    assert leaks_under(fresh.var) == {}


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
