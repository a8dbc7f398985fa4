"""Every command says on PostgreSQL what it says on SQLite."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sendit.pipeline.intake.aftercare import Aftercare
from tests.support.shell import run
from tests.support.site import Site

pytestmark = pytest.mark.on_both_databases


def test_the_whole_way_of_a_batch_and_every_question_about_it(site: Site, tmp_path: Path) -> None:
    site.set(ORIGINALS="delete", IDENTIFIERS="purge")
    site.study(1, images=3)
    broken = site.study(2, images=2)
    (broken / "note.txt").write_text("not an image")
    site.study(3, images=2, patients=2)
    assert len(site.process()) == 3
    assert run("batch_logs", "--errors").code == 0
    assert [line.split()[1:3] for line in run("batch_logs").lines if line.startswith("batch ")] == [
        ["3", "ERROR"], ["2", "DONEPROCESSING"], ["1", "DONEPROCESSING"]
    ]  # fmt: skip
    assert re.search(r"batch.processed .*images=3 .*filtered=0 errors=0 bytes=\d+ seconds=", run("batch_logs").out)
    assert "batch 3 was ERROR: queued again." in run("retry", "--code", "MixedPatients").out
    assert site.deliver()[0].state == "DONE"
    for _ in Aftercare(0).round():
        pass
    shown = json.loads(run("status", "--json").out)
    assert {state: count for state, count in shown["states"].items() if count} == {"QUEUE": 1, "DONE": 2}
    assert (shown["errors"]["NotDicom"]["files"], shown["oldest"]["QUEUE"]["batch"]) == (1, 3)
    assert "batch 1: originals (3 files" in run("clean_up", "--dry-run").out
    assert run("clean_up").code == 0
    assert re.search(r"batch 1\s+DONE\n.*\(purged\)", run("batch_logs", "1", "--reveal", reveals=True).out, re.S)
    assert run("export_metrics", "--out", str(tmp_path)).code == 0
    (table,) = tmp_path.glob("sendit-process-time-*.tsv")
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    assert [(row[0], row[1], row[10:15], row[17]) for row in rows[1:]] == [
        ("1", "DONE", ["3", "3", "0", "0", "false"], "1"),
        ("2", "DONE", ["3", "2", "0", "1", "true"], "1"),
        ("3", "QUEUE", ["0", "0", "0", "0", "false"], "1"),
    ]
