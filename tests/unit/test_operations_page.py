"""docs/operations.md says of every alarm, metric and secret what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sendit.ground.alarms import ALARMS
from sendit.web import metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("event", ALARMS)
def test_every_alarm_is_explained_in_the_codes_words(event: str) -> None:
    assert f"| `{event}` | {ALARMS[event]} |" in PAGE


def test_every_metric_is_explained() -> None:
    code = (ROOT / "sendit" / "web" / "metrics.py").read_text()
    gauges = set(re.findall(r'_gauge\(\s*"(\w+)"', code))
    counters = {f"{name}_total" for name, *_ in metrics.COUNTERS}
    explained = PAGE.replace("`…_", "`sendit_batches_")
    assert len(gauges) > 10
    assert [name for name in sorted({*gauges, *counters, "stage_seconds"}) if f"sendit_{name}" not in explained] == []


def test_no_metric_is_explained_that_is_not_there() -> None:
    code = (ROOT / "sendit" / "web" / "metrics.py").read_text()
    named = set(re.findall(r"sendit_(\w+?)(?:_total)?[{`\[ ]", PAGE))
    assert named and [name for name in sorted(named) if f'"{name}"' not in code and name not in code] == []


def test_every_secret_has_its_rotation() -> None:
    secrets = yaml.safe_load(re.sub(r"\$\{[^}]*\}", "x", (ROOT / "compose.yaml").read_text()))["secrets"]
    rotation = PAGE.partition("## Rotate")[2].partition("## Size")[0]
    for name in secrets:
        word = name.replace("postgres_password", "database_url").replace("identity_database_url", "database_url")
        assert word in rotation, name
