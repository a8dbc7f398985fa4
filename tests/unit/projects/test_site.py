"""The settings as one value: each said once, made of an environment, never printing what may hold a password."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from django.conf import settings as djangos

from sendit.errors import Misconfigured
from sendit.projects.site import SETTINGS, Site


def test_every_setting_of_the_environment_arrives_in_its_field() -> None:
    site = Site.from_environment(
        {
            "SENDIT_WORKERS": "7",
            "SENDIT_SETTLE_SECONDS": "1.5",
            "SENDIT_DATA_INPUT_FOLDERS": "a, /b ,",
            "SENDIT_SEND_TO_GOOGLE": "off",
            "STANFORD_CLIENT_SECRETS": "/run/secrets/dasher.json",
        }
    )
    assert (site.workers, site.settle_seconds, site.data_input_folders) == (7, 1.5, ("a", "/b"))
    assert (site.send_to_google, site.stanford_client_secrets) == (False, "/run/secrets/dasher.json")


def test_folders_do_not_move_when_the_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    site = Site.from_environment({"SENDIT_VAR": "here", "SENDIT_SECRETS": "keys"})
    assert site.var == tmp_path / "here" and site.data_base == tmp_path / "data"
    assert site.outbox_folder == tmp_path / "here" / "outbox"
    assert site.secrets_folder == tmp_path / "keys"
    assert Site(var=Path("there")).secrets_folder == tmp_path / "there" / "secrets"


def test_nothing_changes_it() -> None:
    with pytest.raises(FrozenInstanceError):
        Site().workers = 3  # type: ignore[misc]


def test_what_may_hold_a_password_is_not_printed() -> None:
    secret = [name.lower() for name, entry in SETTINGS.items() if entry.is_secret]
    printed = repr(Site(**dict.fromkeys(secret, "Zq-password")))
    assert secret and "Zq-password" not in printed


def test_all_that_django_is_told_of_sendit_is_the_site() -> None:
    assert isinstance(djangos.SITE, Site)
    mine = {field.name.upper() for field in fields(Site)}
    assert {name for name in dir(djangos) if name in mine} == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("STORE", "/folder"),
        ("STORE", "folders"),
        ("STORE", "bucket, gs://bucket"),
        ("WAREHOUSE", "bigquery"),
        ("WAREHOUSE", "bigquery://a project"),
        ("WAREHOUSE", "postgres://host"),
    ],
)
def test_a_store_or_warehouse_that_is_not_known_is_refused(name: str, text: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        Site.from_environment({f"SENDIT_{name}": text})
    assert (raised.value.code, raised.value.subject) == ("BadSetting", f"SENDIT_{name}: {SETTINGS[name].form}")


def test_a_typing_error_stops_a_command_before_it_does_anything(tmp_path: Path) -> None:
    environment = {**os.environ, "SENDIT_VAR": str(tmp_path / "var"), "SENDIT_WAREHOUSE": "parkett"}
    done = subprocess.run(
        [sys.executable, "-m", "sendit", "status"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "BadSetting (SENDIT_WAREHOUSE: parquet, bigquery://project or postgresql://" in done.stderr
    assert not (tmp_path / "var").exists()
