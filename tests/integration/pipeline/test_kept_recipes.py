"""The recipe that was used is kept whole, and a running process takes one that is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sendit.deid.recipe.recipe import load_recipe
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.site_models import KeptRecipe
from sendit.pipeline.workforce import runner
from sendit.projects.composition import Projects
from tests.support.shell import run
from tests.support.site import Site


@pytest.fixture
def own(site: Site, tmp_path: Path) -> Path:
    """A recipe of the site's own, beside `research`."""
    path = tmp_path / "our.recipe"
    path.write_text("FORMAT dicom\n%header\nREMOVE PatientSize\n")
    site.set(STUDY_DEID=f"research,{path}")
    return path


def test_the_recipe_is_kept_with_the_names_of_all_its_parts_and_explained_as_it_was(site: Site, own: Path) -> None:
    site.study(1, images=1)
    site.process()
    batch = Batch.objects.get()
    assert batch.state == "DONEPROCESSING"
    assert (batch.recipe_name, batch.recipe_sha256) == ("research,our.recipe", load_recipe(f"research,{own}").sha256)
    before = run("explain", "--format", "recipe").out
    own.unlink()
    assert run("explain", "--batch", "1", "--format", "recipe").out == before
    explained = run("explain", "--batch", str(batch.pk)).out
    assert "Basic Application Confidentiality Profile" in explained and batch.recipe_sha256 in explained
    assert str(own.parent) not in json.dumps(list(KeptRecipe.objects.values("name", "parts", "text")))


def test_one_recipe_is_kept_once_and_each_batch_tells_its_own(site: Site, own: Path) -> None:
    for number in (1, 2):
        site.study(number, images=1)
    site.process()
    own.write_text("FORMAT dicom\n%header\nREMOVE PatientWeight\n")
    site.study(3, images=1)
    site.process()
    assert KeptRecipe.objects.count() == 2
    shown = [run("explain", "--batch", f"pk:{pk}", "--format", "recipe").out for pk in (1, 2, 3)]
    assert shown[0] == shown[1] != shown[2]
    assert "REMOVE PatientWeight" in shown[2] and "REMOVE PatientWeight" not in shown[0]


@pytest.mark.parametrize(("values", "state"), [({"BurnedInAnnotation": "YES"}, "EMPTY"), ({"PatientID": ""}, "ERROR")])
def test_a_batch_that_was_not_delivered_has_its_recipe_too(site: Site, values: dict[str, str], state: str) -> None:
    site.study(1, images=1, **values)
    (batch,) = site.process()
    assert (batch.state, batch.recipe_name) == (state, "research")
    assert run("explain", "--batch", "1").code == 0


def test_a_batch_without_a_recipe_and_wrong_use_are_said(site: Site) -> None:
    site.study(1, images=1)
    site.queue()
    assert "not processed yet" in run("explain", "--batch", "1").err
    assert run("explain", "--batch", "99").code == run("explain", "research", "--batch", "1").code == 2


def test_a_process_that_runs_takes_a_recipe_that_is_changed(site: Site, own: Path) -> None:
    """Also one that is included; each batch has one recipe from its beginning to its end."""
    included = own.parent / "included.recipe"
    included.write_text("FORMAT dicom\n%header\nREMOVE PatientSize\n")
    own.write_text(f"FORMAT dicom\nINCLUDE {included}\n")
    projects = Projects(site.settings)
    for number, field in enumerate(("PatientSize", "PatientWeight", "PatientAge"), 1):
        included.write_text(f"FORMAT dicom\n%header\nREMOVE {field}\n")
        site.study(number, images=1)
        (key,) = site.queue()
        runner.attempt(key, _process(), projects)
        assert f"REMOVE {field}" in run("explain", "--batch", f"pk:{key}", "--format", "recipe").out
    included.unlink()
    site.study(9, images=1)
    (key,) = site.queue()
    runner.attempt(key, _process(), projects)
    batch = Batch.objects.get(pk=key)
    assert (batch.state, batch.errors[0]["code"]) == ("ERROR", "BadRecipe")


def _process() -> object:
    from sendit.pipeline.record.states import Job

    return Job.PROCESS


def test_a_recipe_that_is_misspelt_is_answered_with_the_one_that_is_meant(site: Site) -> None:
    assert "UnknownRecipe (reserch; did you mean research?)" in run("explain", "reserch").err
