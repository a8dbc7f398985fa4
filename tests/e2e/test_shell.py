"""The shell's way in: help, exit codes, and errors in one line that quotes nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import sendit
from sendit.errors import CODES, EXIT_CODES, SenditError
from tests.support.phantoms import WORD
from tests.support.site import Site

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(path.stem for path in Path(sendit.__file__).parent.glob("*/management/commands/[!_]*.py"))


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_without_a_command_it_lists_them(site: Site, arguments: list[str]) -> None:
    done = site.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    listed = {line.split()[0]: line.split(None, 1)[1] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert sorted(listed) == sorted(set(COMMANDS) - {"work"})
    assert all(len(about) > 15 for about in listed.values())


def test_a_commands_help_is_about_the_command(site: Site) -> None:
    done = site.run("status", "--help")
    assert done.stdout.startswith("usage: sendit status [-h] [--json]")
    assert "--settings" not in done.stdout


def test_an_unknown_command_or_option_is_no_success(site: Site) -> None:
    done = site.run("stauts")
    said = "sendit: there is no such command. Did you mean `sendit status`? `sendit --help` lists them.\n"
    assert (done.returncode, done.stderr) == (2, said)
    assert site.run("status", "--jsno").returncode == 2


def test_a_setting_that_makes_no_sense_is_one_line_and_exit_code_2(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDIT_WROKERS", "2")
    done = site.run("status")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("sendit: UnknownSetting (SENDIT_WROKERS; did you mean SENDIT_WORKERS?): There is no ")
    assert done.stderr.count("\n") == 1


def test_a_deployment_that_fails_its_checks_is_exit_code_2(site: Site) -> None:
    site.set(ANONYMIZE_PIXELS=True, STUDY_DEID="basic")
    done = site.run("status")
    assert done.returncode == 2
    assert "sendit.E002" in done.stderr


def test_a_folder_of_its_own_that_may_not_be_used_is_the_operators_to_mend(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.var.parent / "file").write_text("no folder")
    for variable in ("SENDIT_VAR", "SENDIT_SECRETS"):
        monkeypatch.setenv(variable, str(site.var.parent / "file" / "folder"))
        done = site.run("status")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"sendit: FolderRefused ({variable}): ")
        monkeypatch.setenv(variable, str(site.var))


def test_a_file_that_the_system_refuses_is_no_bug(site: Site) -> None:
    (site.var / ".migrate.lock").mkdir()
    (site.var / "sendit.sqlite3").unlink()
    done = site.run("status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sendit: DiskRefused (IsADirectoryError at durable.py:")


def test_a_check_says_what_else_is_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.var.chmod(0o750)
    assert site.run("check").stderr == ""
    site.set(DATA_BASE=site.data / "missing")
    done = site.run("check")
    assert done.returncode == 0 and "sendit.W001) NoSuchFolder (SENDIT_DATA_BASE: " in done.stderr
    site.set(STUDY_DEID="nonsense")
    done = site.run("check")
    assert done.returncode == 1 and "sendit.E006) UnknownRecipe" in done.stderr
    assert site.run("status").stderr == ""


def test_a_database_that_cannot_be_opened_is_one_line(site: Site) -> None:
    path = site.var / "sendit.sqlite3"
    path.unlink()
    path.mkdir()
    done = site.run("status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sendit: DatabaseDown: ")
    assert done.stderr.count("\n") == 1


def test_a_damaged_database_is_told_and_its_backup_goes_on(site: Site) -> None:
    """As docs/operations.md has it."""
    path = site.var / "sendit.sqlite3"
    site.study()
    assert site.run("start_queue").returncode == 0
    (program,) = re.findall(r"python3 -c '(import sqlite3.*)'", (ROOT / "docs" / "operations.md").read_text())
    subprocess.run([sys.executable, "-c", program], cwd=site.var.parent, check=True)
    history = site.run("batch_logs").stdout
    path.write_bytes(b"no database " * 1000)
    for command in ("status", "start_queue", "upload_finished"):
        done = site.run(command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("sendit: DatabaseDamaged: ") and done.stderr.count("\n") == 1
    for name in ("sendit.sqlite3-wal", "sendit.sqlite3-shm"):
        (site.var / name).unlink(missing_ok=True)
    (site.var.parent / "sendit-backup.sqlite3").rename(path)
    assert site.run("batch_logs").stdout == history != ""


def test_what_nobody_expected_quotes_nothing(site: Site) -> None:
    """The out folder cannot be listed by `query`: a path in the exception's message."""
    program = (
        "import sys; from sendit import __main__ as shell\n"
        f"def fail(arguments): raise RuntimeError('{WORD}')\n"
        "shell._run = fail; sys.argv = ['sendit', 'status']; shell.main()"
    )
    command = [*site.command()[:1], "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sendit: UnexpectedFailure (RuntimeError at __main__.py:")
    assert WORD not in done.stderr


def test_a_locale_that_lacks_a_character_is_no_failure(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = site.run("explain", "research")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(r"What the recipe \u201cresearch\u201d does to DICOM images")


def test_a_pipe_that_is_closed_early_is_no_failure(site: Site) -> None:
    shell = f"{' '.join(site.command('help'))} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert "Traceback" not in done.stderr and "Error" not in done.stderr
    assert done.stdout.splitlines()[1] in ("0", "141")


@pytest.mark.parametrize("kind", SenditError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_kind_of_error_has_its_exit_code(kind: type[SenditError]) -> None:
    assert EXIT_CODES[kind.__name__] in (1, 2)
    assert any(entry.kind == kind.__name__ for entry in CODES.values())
