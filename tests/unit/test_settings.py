"""The one place that reads the environment: loud on nonsense; secrets that are made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendit import settings
from sendit.errors import Misconfigured
from sendit.keys import secret
from sendit.projects.site import SETTINGS, Site
from tests.support.processes import at_once


def test_every_default_is_what_its_own_text_means() -> None:
    for name, setting in SETTINGS.items():
        text = ",".join(setting.default) if isinstance(setting.default, tuple) else str(setting.default)
        assert setting.parse(text) == setting.default, name


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SENDIT_WORKERS", "0"),
        ("SENDIT_WORKERS", "many"),
        ("SENDIT_LEASE_SECONDS", "-1"),
        ("SENDIT_SETTLE_SECONDS", "soon"),
        ("SENDIT_SEND_TO_GOOGLE", "maybe"),
        ("SENDIT_LOG_FORMAT", "xml"),
        ("SENDIT_ORIGINALS", ""),
        ("SENDIT_VAR", ""),
        ("SENDIT_DATA_BASE", " "),
    ],
)
def test_nonsense_is_said_by_the_variables_name_and_not_by_its_value(variable: str, text: str) -> None:
    with pytest.raises(Misconfigured, match=f"BadSetting.*{variable}") as raised:
        Site.from_environment({variable: text})
    assert not text or f"{text!r}" not in str(raised.value)


def test_a_setting_that_does_not_exist_is_no_setting() -> None:
    with pytest.raises(Misconfigured, match=r"UnknownSetting.*SENDIT_WORKER"):
        Site.from_environment({"SENDIT_WORKER": "2"})


def test_a_setting_that_may_hold_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:secret@broker/0\n")
    assert Site.from_environment({"SENDIT_BROKER_FILE": str(tmp_path / "url")}).broker == "redis://:secret@broker/0"
    with pytest.raises(Misconfigured, match=r"BadSetting.*SENDIT_BROKER_FILE"):
        Site.from_environment({"SENDIT_BROKER_FILE": str(tmp_path / "gone")})
    with pytest.raises(Misconfigured, match=r"UnknownSetting.*SENDIT_WORKERS_FILE"):
        Site.from_environment({"SENDIT_WORKERS_FILE": str(tmp_path / "url")})


def test_a_postgresql_url_keeps_its_parameters_and_gets_patience_and_a_pool() -> None:
    entry = settings.database(
        "postgresql://gate:pass%40word@one,two:5433/gateway?sslmode=verify-full&connect_timeout=9"
    )
    options = entry["OPTIONS"]
    assert (entry["ENGINE"], entry["NAME"]) == ("django.db.backends.postgresql", "gateway")
    assert (options["host"], options["port"], options["password"]) == ("one,two", ",5433", "pass@word")
    assert (options["sslmode"], options["connect_timeout"]) == ("verify-full", "9")
    assert (options["target_session_attrs"], options["pool"]["min_size"]) == ("read-write", 1)


@pytest.mark.parametrize(
    "url", ["mysql://host/name", "sqlite:sendit.db", "postgresql://host/name?bogus=1", "sendit.db"]
)
def test_a_url_of_no_database_that_sendit_knows_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"BadSetting.*SENDIT_DATABASE") as raised:
        settings.database(url)
    assert url not in str(raised.value)


def test_a_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "a.key"
    assert secret(path, lambda: b"first") == secret(path, lambda: b"second") == b"first"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_of_several_who_make_a_secret_at_once_all_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    made = at_once(*(lambda number=number: secret(path, lambda: b"%d" % number) for number in range(4)))
    assert len(set(made)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        secret(tmp_path / "a.key", fail)
    assert list(tmp_path.iterdir()) == []
