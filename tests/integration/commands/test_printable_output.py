"""Nothing that a command says can command the terminal, whatever names and values hold."""

from __future__ import annotations

import csv
import importlib
import io
import json
import re
from pathlib import Path

import pytest
from pydicom import dcmread

import sendit
from sendit.__main__ import NOT_FOR_PERSONS
from sendit.ground.commands import Command
from tests.support.phantoms import make_study
from tests.support.shell import run
from tests.support.site import Site

HOSTILE = "\x1b]0;x\x07 \u202egnp.exe \u2066a\u2069 \u200b\u2028 \x9b2J \x7f \U000e0041 \r"
COMMANDS = [
    path
    for path in sorted(Path(sendit.__file__).parent.glob("*/management/commands/[!_]*.py"))
    if path.stem not in NOT_FOR_PERSONS
]
DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u202e\u2066\u2069\U000e0041]")


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_every_command_speaks_through_the_one_door(path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    room = path.parents[2].name
    command_class = importlib.import_module(f"sendit.{room}.management.commands.{path.stem}").Command
    assert issubclass(command_class, Command)
    said, complained = io.StringIO(), io.StringIO()

    def handle(self: Command, *args: object, **options: object) -> None:
        self.stdout.write(f"one {HOSTILE}")
        self.stderr.write(f"two {HOSTILE}")
        self.lines([f"three\t{HOSTILE}", "四 ü\u00a0."])

    monkeypatch.setattr(command_class, "handle", handle)
    monkeypatch.setattr(command_class, "check", lambda *_, **__: [])
    Command.execute(command_class(stdout=said, stderr=complained), skip_checks=True, force_color=False, no_color=False)
    for text in (said.getvalue(), complained.getvalue()):
        assert not DANGEROUS.search(text) and "\\u202egnp.exe" in text and "\\udb40\\udc41" in text
    assert said.getvalue().endswith("\n四 ü\u00a0.\n") and "three\t" in said.getvalue()
    assert not re.search(r"(?<![.\w])print\(|sys\.std(out|err)\.write", path.read_text())


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_value_of_the_warehouse_is_escaped(site: Site, form: str) -> None:
    codes = ", ".join(f"chr({ord(char)})" for char in HOSTILE)
    out = run("query", "--format", form, f"SELECT concat({codes}) AS value").out
    assert not DANGEROUS.search(out)
    if form == "json":
        assert json.loads(out) == [{"value": HOSTILE}]


def test_a_program_gets_csv_as_it_is(site: Site) -> None:
    value = HOSTILE.replace("\r", "")
    codes = ", ".join(f"chr({ord(char)})" for char in value)
    out = run("query", "--format", "csv", f"SELECT concat({codes}) AS value").out
    assert list(csv.DictReader(io.StringIO(out, newline=""))) == [{"value": value}]


@pytest.mark.shows_identifiers
def test_a_folder_s_name_is_escaped(site: Site) -> None:
    folder = site.study(1)
    (folder / "\u202egnp.exe").write_text("not DICOM")
    site.process()
    for arguments in (["--reveal"], ["--reveal", "--json"], []):
        ran = run("batch_logs", *arguments, reveals=True)
        assert not DANGEROUS.search(ran.out + ran.err)
    assert "\\u202egnp.exe" in run("batch_logs", "--reveal", reveals=True).out


@pytest.mark.shows_identifiers
def test_an_element_s_value_is_escaped(site: Site, tmp_path: Path) -> None:
    (image,) = make_study(tmp_path / "in", number=1, images=1)
    dataset = dcmread(image)
    dataset.SpecificCharacterSet, dataset.StudyDescription = "ISO_IR 192", "\u202egnp.exe \u200b"
    dataset.save_as(image)
    given = ("--var", "entity_id=P", "--var", "item_id=S", "--var", "jitter=1")
    ran = run("preview", "--reveal", *given, str(image), reveals=True)
    assert not DANGEROUS.search(ran.out + ran.err) and "\\u202egnp.exe" in ran.out
