"""The campaign of `python -m tests.fuzz.frames` in short."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.frames import suffer


def test_a_hostile_frame_harms_no_worker(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    found = suffer(240)
    assert found.failures == []
    assert found.outcomes["image"] > 20 and found.outcomes["TextInPixels"] > 20
    said = capfd.readouterr()
    assert said.out == said.err == ""
