"""Detectors without a model, in the real process that a worker talks to; each is started once for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendit.deid.burned_in import detector
from sendit.deid.burned_in.detector import Detector

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def detectors_of_tests() -> Iterator[dict[str, Detector]]:
    """Those that are running, by the name of their class."""
    running: dict[str, Detector] = {}
    yield running
    for one in running.values():
        one.end()


@pytest.fixture
def detector_of_tests(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, detectors_of_tests: dict[str, Detector]
) -> Detector:
    """The detector of this process: the class of `tests.support.detectors` that the test names, else FindsWhite."""
    name = getattr(request, "param", "FindsWhite")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    own = detectors_of_tests.setdefault(name, Detector(f"tests.support.detectors:{name}"))
    monkeypatch.setattr(detector, "_SHARED", own)
    return own
