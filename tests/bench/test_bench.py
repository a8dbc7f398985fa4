"""The bench still works, on a few images; nothing here asserts a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import report, studies
from bench.measure import Bar, Section

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("part", ["files", "batches", "memory", "million", "topology", "receiving"])
def test_each_part_measures_its_bars(part: str) -> None:
    ran = subprocess.run([sys.executable, "-m", "bench", "--quick", part], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "bars met" in ran.stdout
    assert "failed" not in ran.stdout


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (Bar("", measured=0.5, bound=0.5), True),
        (Bar("", measured=0.49, bound=0.5), False),
        (Bar("", measured=200, bound=200, at_most=True), True),
        (Bar("", measured=201, bound=200, at_most=True), False),
        (Bar("", measured=9, bound=1, failure="ValueError"), False),
    ],
)
def test_a_bar_is_met_or_missed(bar: Bar, met: bool) -> None:
    assert bar.met is met
    assert bar.cells()[-1] == ("met" if met else "MISSED")


def test_the_page_says_what_was_missed() -> None:
    section = Section("Speed", bars=[Bar("slow", measured=1, bound=2), Bar("fast", measured=3, bound=2)])
    page = report.page([section], seconds=1, load=0.1)
    assert "1 of 2 bars met" in page
    assert "| slow | ≥ 2 × | 1.00 × | MISSED |" in page


def test_real_files_are_measured_folder_by_folder_and_their_absence_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "mosaic" / "axial").mkdir(parents=True)
    (tmp_path / "mosaic" / "axial" / "1.dcm").touch()
    (tmp_path / "empty").mkdir()
    assert [(study.name, len(study.files)) for study in studies.given(tmp_path)] == [("given: mosaic/axial", 1)]
    assert list(studies.given(tmp_path / "missing")) == []
