"""`status` says what would free images that are withheld for want of the extra, and says it of no others."""

from __future__ import annotations

import pytest

from sendit.deid.burned_in import detector
from sendit.pipeline.reports.pixels import are_freed_by_the_extra
from sendit.projects.composition import Projects
from sendit.projects.site import Site

RESEARCH = Projects(Site())
ULTRASOUND = "ultrasound, not declared free of burned-in text"


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "PACKAGES", ("a package that nobody has",))


@pytest.mark.usefixtures("without_the_extra")
def test_only_what_a_graylist_withholds_is_freed() -> None:
    assert are_freed_by_the_extra(["no SOP class", ULTRASOUND], RESEARCH)
    assert not are_freed_by_the_extra(["no SOP class", "sendit: DICOMDIR"], RESEARCH)


@pytest.mark.usefixtures("without_the_extra")
@pytest.mark.parametrize("recipe", ["basic", "no such recipe"])
def test_nothing_is_freed_under_a_recipe_that_cleans_no_pixels(recipe: str) -> None:
    assert not are_freed_by_the_extra([ULTRASOUND], Projects(Site(study_deid=recipe)))


def test_nothing_waits_for_what_is_installed() -> None:
    assert not are_freed_by_the_extra([ULTRASOUND], RESEARCH)
