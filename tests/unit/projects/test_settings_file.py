"""The settings file: where it is found, what it may say, and that the environment wins."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from sendit.errors import Misconfigured
from sendit.projects import settings_file, settings_template
from sendit.projects.site import SETTINGS, Site


@pytest.fixture(autouse=True)
def no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for /etc/sendit."""
    monkeypatch.setattr(settings_file, "SYSTEM", tmp_path / "etc")
    return tmp_path / "etc"


def write(folder: Path, text: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / settings_file.NAME).write_text(text)
    return folder / settings_file.NAME


def loaded(folder: Path, text: str, **environ: str) -> Site:
    file = write(folder, text)
    environ["SENDIT_CONFIG"] = str(file)
    return settings_file.load(environ, settings_file.find(environ, folder))


def test_the_first_of_its_places_that_has_it_counts(tmp_path: Path, no_system_file: Path) -> None:
    here, var = tmp_path / "here", tmp_path / "var"
    here.mkdir()
    environ = {"SENDIT_VAR": str(var), "SENDIT_CONFIG": str(tmp_path / "my.toml")}
    assert settings_file.find(environ, here).file == tmp_path / "my.toml"
    del environ["SENDIT_CONFIG"]
    assert settings_file.find(environ, here).file is None
    for place in (here, no_system_file, var):
        assert settings_file.find(environ, here).file != write(place)
        assert settings_file.find(environ, here).file == place / settings_file.NAME
    assert settings_file.find({}, here).file == no_system_file / settings_file.NAME


def test_where_it_was_looked_for_is_said(tmp_path: Path, no_system_file: Path) -> None:
    said = str(settings_file.find({"SENDIT_VAR": str(tmp_path / "var")}, tmp_path))
    assert said == f"no sendit.toml in {tmp_path}/var, {no_system_file}, {tmp_path}"


@pytest.mark.parametrize("what", [".", settings_file.NAME])
def test_one_in_a_folder_that_others_may_write_to_does_not_count(tmp_path: Path, what: str) -> None:
    write(tmp_path)
    assert settings_file.find({}, tmp_path).file
    (tmp_path / what).chmod(0o777)
    found = settings_file.find({}, tmp_path)
    assert found.file is None and "others may write to it" in str(found)


def test_one_that_belongs_to_somebody_else_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert settings_file.find({}, tmp_path).file is None


def test_its_values_are_the_settings(tmp_path: Path) -> None:
    site = loaded(
        tmp_path,
        'workers = 3\nsend_to_google = false\nsettle_seconds = 1.5\ndata_input_folders = ["a", "/b"]\n'
        'som_study = "irb7"\nlease_seconds = "30"\n',
    )
    assert (site.workers, site.send_to_google, site.settle_seconds) == (3, False, 1.5)
    assert (site.data_input_folders, site.som_study, site.lease_seconds) == (("a", "/b"), "irb7", 30)


def test_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("redis://a/0")
    (tmp_path / "b").write_text("redis://b/0")
    text = 'workers = 3\nsom_study = "file"\nbroker_file = "a"\n'
    site = loaded(tmp_path, text, SENDIT_WORKERS="7")
    assert (site.workers, site.som_study, site.broker) == (7, "file", "redis://a/0")
    assert loaded(tmp_path, text, SENDIT_BROKER="redis://c/0").broker == "redis://c/0"
    assert loaded(tmp_path, text, SENDIT_BROKER_FILE=str(tmp_path / "b")).broker == "redis://b/0"


def test_relative_paths_are_below_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "our.recipe").write_text("FORMAT dicom\n")
    (folder / "research").write_text("a file that is called like a shipped recipe")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    site = loaded(
        folder,
        'var = "v"\ndata_base = "/d"\nsecrets = "s"\nstanford_client_secrets = "t.json"\n'
        'study_deid = "research, our.recipe"\ngoogle_application_credentials = "g.json"\n',
    )
    assert (site.var, site.data_base, site.secrets_folder) == (folder / "v", Path("/d"), folder / "s")
    assert site.stanford_client_secrets == str(folder / "t.json")
    assert site.google_application_credentials == str(folder / "g.json")
    assert site.study_deid == f"research,{folder}/our.recipe"
    assert (loaded(folder, "").var, loaded(folder, "").data_base) == (folder / "var", folder / "data")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wrokers = 2", r"UnknownSetting.*wrokers; did you mean workers\?"),
        ("SENDIT_WORKERS = 2", "UnknownSetting.*SENDIT_WORKERS"),
        ("WORKERS = 2", "UnknownSetting.*WORKERS"),
        ("workers_file = 'x'", "UnknownSetting.*workers_file"),
        ("[workers]\nnumber = 2", "BadSetting.*workers: a number"),
        ("[sendit]\nworkers = 2", "UnknownSetting.*sendit"),
        ("workers = true", "BadSetting.*workers: a number"),
        ("workers = 0", "BadSetting.*WORKERS"),
        ("send_to_google = 1", "BadSetting.*send_to_google: true or false"),
        ("som_study = 5", "BadSetting.*som_study"),
        ("data_input_folders = [1]", "BadSetting.*data_input_folders"),
        ("data_base = ''", "BadSetting.*DATA_BASE"),
        ("database = 'postgresql://me:Zq-password@host/name'", "BadSetting.*database: only as database_file"),
        ("database_file = 5", "BadSetting.*database_file: a file"),
        ("broker_file = 'gone'", "BadSetting.*SENDIT_BROKER_FILE"),
        ("workers = Zq-password", "BadSetting.*TOML, see line 1"),
        ("workers = 2\nworkers = 3", "BadSetting.*sendit.toml: TOML"),
    ],
)
def test_what_makes_no_sense_is_an_error_that_quotes_no_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as raised:
        loaded(tmp_path, text)
    assert "Zq-password" not in str(raised.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_one_that_is_named_and_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "my.toml").write_bytes(content)
    environ = {"SENDIT_CONFIG": "my.toml"}
    with pytest.raises(Misconfigured, match=r"BadSetting \(.*my.toml: a file that can be read"):
        settings_file.load(environ, settings_file.find(environ, tmp_path))


def test_a_new_one_has_every_setting_as_a_comment_with_its_default(tmp_path: Path) -> None:
    text = settings_template.text({"VAR": "here"})
    assert tomllib.loads(text) == {"var": "here"}
    commented = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M)
    keys = set(tomllib.loads(commented))
    assert keys == {f"{name.lower()}{'_file' if entry.is_secret else ''}" for name, entry in SETTINGS.items()}
    without_files = re.sub(r"^\w+_file = .*\n", "", commented, flags=re.M)
    assert loaded(tmp_path, without_files) == Site(var=tmp_path / "here", data_base=tmp_path / "data")
