"""`explain`: what a recipe does, on the shell."""

from __future__ import annotations

import json
import re

from sendit.deid.recipe.recipe import load_recipe, parse_recipe
from tests.support.shell import run
from tests.support.site import Site


def test_it_tells_of_the_recipe_in_use_when_none_is_named(site: Site) -> None:
    ran = run("explain")
    assert ran.code == 0
    assert ran.lines[0] == "What the recipe “research” does to DICOM images"
    assert any(line.startswith("  signature  ___") for line in ran.lines)


def test_what_it_prints_as_a_recipe_is_the_recipe(site: Site) -> None:
    printed = run("explain", "limited-dataset", "--format", "recipe").out
    assert [str(rule) for rule in parse_recipe(printed).rules] == [
        str(rule) for rule in load_recipe("limited-dataset").rules
    ]


def test_programs_get_json(site: Site) -> None:
    assert json.loads(run("explain", "basic", "--format", "json").out)["recipe"] == "basic"


def test_a_recipe_that_is_not_there_is_wrong_use(site: Site) -> None:
    ran = run("explain", "nonesuch")
    assert ran.code == 2
    assert "UnknownRecipe" in ran.err


def test_a_project_is_explained_with_its_approval_and_prints(site: Site) -> None:
    told = run("explain", "--project", "default")
    assert told.code == 0 and told.lines[0].startswith("project") and "Not approved." in told.out
    assert site.ports.project.fingerprint in told.out and site.ports.recipe.sha256 in told.out
    page = run("explain", "--project", "default", "--format", "html").out
    assert "Not approved." in page and site.ports.recipe.sha256 in page and "Signed" in page
    assert "is looked at: text in its pixels is blanked" in page
    assert not re.search(r"(src|href)=", page)
    assert "Project default" not in run("explain", "basic", "--format", "html").out
    assert run("explain", "basic", "--project", "default").code == 2
    assert "UnknownProject" in run("explain", "--project", "nowhere").err
