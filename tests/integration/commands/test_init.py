"""`init`, as a newcomer meets it: by commands as processes of their own, in empty folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sendit import keys
from tests.support.phantoms import make_study

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("SENDIT_")}


def sendit(*arguments: str, here: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    here.mkdir(exist_ok=True)
    environment = CLEAN | environ | {"PYTHONPATH": str(Path(keys.__file__).parents[1])}
    command = [sys.executable, "-m", "sendit", *arguments]
    return subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, timeout=120)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_commands_from_an_empty_folder_to_a_batch(tmp_path: Path) -> None:
    here = tmp_path / "here"
    assert sendit("init", here=here).returncode == 0
    assert sorted(path.name for path in here.iterdir()) == ["sendit.toml", "var"]
    make_study(here / "data" / "study", number=1, images=1)
    done = sendit("start_queue", "--number", "all", here=here, SENDIT_QUEUE_SETTLE_SECONDS="0")
    assert (done.returncode, done.stderr) == (0, "")
    shown = sendit("status", here=here).stdout
    assert f"{here}/var, keys {keys.fingerprint(here / 'var' / 'secrets')}" in shown


def test_a_folder_that_is_given_is_var_and_is_found_in_each_way(tmp_path: Path) -> None:
    var, elsewhere = tmp_path / "var", tmp_path / "elsewhere"
    said = sendit("init", str(var), here=elsewhere).stdout
    assert f"export SENDIT_VAR={var}" in said
    assert list(elsewhere.iterdir()) == []
    (var / "data").mkdir()
    for here, environ in (
        (elsewhere, {"SENDIT_VAR": str(var)}),
        (elsewhere, {"SENDIT_CONFIG": str(var / "sendit.toml")}),
        (var, {}),
    ):
        done = sendit("status", here=here, **environ)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{var}, keys {keys.fingerprint(var / 'secrets')}" in done.stdout
    assert sendit("status", here=elsewhere).returncode == 2
    assert list(elsewhere.iterdir()) == []


def test_a_second_time_it_changes_nothing(tmp_path: Path) -> None:
    here = tmp_path / "here"
    sendit("init", here=here)
    (here / "sendit.toml").write_text('workers = 3\nvar = "var"\n')
    before = content(here)
    done = sendit("init", here=here)
    assert (done.returncode, content(here)) == (0, before)
    assert "sendit.toml, as it was" in done.stdout


def test_a_var_of_the_last_release_keeps_its_keys(tmp_path: Path) -> None:
    """It has keys and no settings file, and is used as it is."""
    keys.make(tmp_path / "var" / "secrets")
    before = keys.fingerprint(tmp_path / "var" / "secrets")
    assert before in sendit("status", here=tmp_path).stdout
    assert before in sendit("init", here=tmp_path).stdout
    assert before in sendit("status", here=tmp_path).stdout


def test_the_environment_says_where(tmp_path: Path) -> None:
    var, file = tmp_path / "var", tmp_path / "etc" / "my.toml"
    environ = {"SENDIT_VAR": str(var), "SENDIT_CONFIG": str(file)}
    assert sendit("init", here=tmp_path / "here", **environ).returncode == 0
    assert file.is_file() and keys.present(var / "secrets") == keys.ALL
    assert f'data_base = "{var}/data"' in file.read_text()
    done = sendit("init", str(tmp_path / "other"), here=tmp_path / "here", SENDIT_CONFIG=str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "names another VAR" in done.stderr and not (tmp_path / "other").exists()


def test_only_its_owner_may_read_the_keys(tmp_path: Path) -> None:
    sendit("init", here=tmp_path / "here")
    secrets = tmp_path / "here" / "var" / "secrets"
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o600}
    assert keys.open_to_others(secrets) == []


@pytest.mark.parametrize("name", ["sendit.toml", "var"])
def test_a_folder_that_may_not_be_written_to_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no folder")
    done = sendit("init", str(tmp_path / "file" / name), here=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
