"""The everyday stories of docs/operations.md, run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sendit.pipeline.record.models import Batch
from tests.support.growing import add, in_warehouse, suffixes, work
from tests.support.shell import run
from tests.support.site import Site

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()


def story(name: str) -> list[list[str]]:
    """The commands of a story."""
    (block,) = re.findall(rf"<!-- story: {name} -->\n```\n(.*?)```", PAGE, re.S)
    return [shlex.split(line.removeprefix("sendit ")) for line in block.splitlines()]


def tell(name: str) -> None:
    for words in story(name):
        assert run(*words).code == 0, words


@pytest.fixture
def folder(site: Site) -> Path:
    """The folder of a delivered study."""
    folder = site.data / "ST-000001"
    add(folder, 1, 2)
    work(site)
    return folder


def test_a_late_series(site: Site, folder: Path) -> None:
    add(folder, 3)
    tell("late series")
    assert suffixes(site) == ["part2.tar.gz", "tar.gz"] and in_warehouse(site) == [(1, 1, 2), (1, 2, 1)]


def test_a_second_folder(site: Site, folder: Path) -> None:
    add(site.data / "ST-000001.late1", 2, 3)
    tell("late series")
    assert suffixes(site) == ["part2.tar.gz", "tar.gz"] and in_warehouse(site) == [(1, 1, 2), (1, 2, 1)]


def test_consent_withdrawn(site: Site, folder: Path) -> None:
    tell("consent withdrawn")
    assert (Batch.objects.get().state, suffixes(site), in_warehouse(site)) == ("WITHDRAWN", [], [])


def test_a_recipe_was_mended(site: Site, folder: Path) -> None:
    tell("recipe corrected")
    assert suffixes(site) == ["r2.tar.gz"] and in_warehouse(site) == [(2, 1, 2)]
