"""The page Review: what waits by series, decisions with masks, a rule made of them, and who may see what waits."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.test import Client
from pydicom import dcmread

from sendit.deid.recipe.recipe import parse_recipe
from sendit.pipeline.record.models import Batch, Image, ReviewDecision
from sendit.pipeline.record.states import Job
from sendit.pipeline.reports import images
from sendit.web.roles import Role
from tests.integration.pipeline.test_review import change
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.shell import run
from tests.support.site import Site


@pytest.fixture
def waiting(site: Site) -> Iterator[Site]:
    """A study of three images that wait in the state REVIEW."""
    site.set(REVIEW="all")
    site.study(1, images=3)
    site.process()
    with web_settings():
        yield site


@pytest.fixture
def reviewer(waiting: Site) -> Client:
    return signed_in(a_user(Role.REVIEWER, name="rae"))


def said(reviewer: Client, **wish: Any) -> Any:
    return reviewer.post("/review", wish, headers={"accept": "application/json"}).json()


def test_the_page_shows_what_waits_by_series(reviewer: Client) -> None:
    page = reviewer.get("/review").content.decode()
    assert page.count("data-image=") == 3 and "3 wait, the oldest for" in page
    assert page.count('data-series="1/1"') == 3
    assert reviewer.get("/batches/1/images/2/projection.png").content.startswith(b"\x89PNG")


def test_all_of_a_series_is_decided_at_once(reviewer: Client) -> None:
    answer = said(reviewer, do="release", series="1/2", reason="nothing is seen")
    assert (len(answer["said"]), answer["left"]) == (3, [])
    assert Batch.objects.get().state == "DONEPROCESSING"
    assert "Nothing waits" in reviewer.get("/review").content.decode()


def test_the_script_is_told_what_was_not_decided(reviewer: Client) -> None:
    assert said(reviewer, do="reject", images=["1/1"], reason="")["left"] == ["1/1"]
    assert said(reviewer, do="reject", images=["1/9"], reason="x")["left"] == ["1/9"]
    assert said(reviewer, do="release", images=["1/1"], reason="x", masks="1,2,3")["said"][0].startswith("A mask is")
    assert not ReviewDecision.objects.exists()
    said(reviewer, do="reject", images=["1/1"], reason="x")
    again = said(reviewer, do="release", images=["1/1"], reason="x")
    assert (again["said"], again["left"]) == (["Image 1 of batch 1: rae has decided already: reject."], [])


def test_what_waits_is_shown_to_reviewers_alone(waiting: Site, reviewer: Client) -> None:
    assert reviewer.get("/batches/1/images/1/output.png").content.startswith(b"\x89PNG")
    assert "De-identified" in reviewer.get("/batches/1/images/1").content.decode()
    for role in (Role.VIEWER, Role.OPERATOR):
        other = signed_in(a_user(role, name=str(role)))
        assert other.get("/batches/1/images/1/output.png").status_code == 404
        assert other.get("/batches/1/images/1/projection.png").status_code == 403
        assert "data-masks" not in other.get("/batches/1/images/1").content.decode()


@pytest.mark.parametrize("way", ["page", "command"])
def test_a_mask_is_blanked_in_what_is_delivered_and_no_other_pixel_is_changed(
    waiting: Site, reviewer: Client, way: str
) -> None:
    original = dcmread(images.original(1, 2).reveal()).pixel_array
    page = reviewer.get("/batches/1/images/2").content.decode()
    assert 'data-masks value=""' in page
    if way == "page":
        said(reviewer, do="release", images=["1/2"], reason="a name", masks="4,8,16,10; 40,40,5,5")
    else:
        assert run("release", "1/2", "--reason", "a name", "--mask", "4,8,16,10", "--mask", "40,40,5,5").code == 0
    said(reviewer, do="release", images=["1/1", "1/3"], reason="x")
    assert Batch.objects.get().state == "QUEUE"
    waiting.attempt(1, Job.PROCESS)
    waiting.deliver()
    assert Batch.objects.get().state == "DONE"
    delivered = dcmread(io.BytesIO(images.output(waiting.projects, 1, 2)))
    changed = original != delivered.pixel_array
    expected = np.zeros_like(changed)
    expected[8:18, 4:20] = expected[40:45, 40:45] = True
    assert not (changed & ~expected).any() and len(np.unique(delivered.pixel_array[expected])) == 1
    assert (delivered.BurnedInAnnotation, delivered.ImageType[0]) == ("NO", "DERIVED")
    others = dcmread(io.BytesIO(images.output(waiting.projects, 1, 3)))
    assert (others.pixel_array == dcmread(images.original(1, 3).reveal()).pixel_array).all()


def test_a_command_refuses_what_is_no_mask(waiting: Site) -> None:
    for mask in ("1,2,3", "1,2,0,5", "-1,2,3,4", "a,b,c,d"):
        assert run("release", "1/2", "--reason", "x", f"--mask={mask}").code == 2
    assert not ReviewDecision.objects.exists()


def test_proposed_masks_are_blanked_unless_the_reviewer_says_otherwise(waiting: Site, reviewer: Client) -> None:
    Image.objects.filter(number=1).update(proposed=[[1, 2, 11, 12]])
    assert 'data-masks value="1,2,10,10"' in reviewer.get("/batches/1/images/1").content.decode()
    said(reviewer, do="release", images=["1/1"], reason="x")
    said(reviewer, do="release", images=["1/2"], reason="x", masks="")
    assert [one.masks for one in ReviewDecision.objects.order_by("pk")] == [[[1, 2, 11, 12]], None]


@pytest.mark.parametrize(("masks", "kind"), [("0,0,900,120", "graylist"), ("", "blacklist")])
def test_a_rule_is_made_that_fits_the_image(waiting: Site, reviewer: Client, masks: str, kind: str) -> None:
    from sendit.deid.recipe.screen import screen
    from sendit.deid.stream.header import read_header

    path = images.original(1, 1).reveal()
    change(path, Manufacturer="A + B (c)", ManufacturerModelName="Model.7|x")
    page = reviewer.post("/batches/1/images/1/rule", {"masks": masks}).content.decode()
    from html import unescape

    text = unescape(page.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0])
    verdict = screen(read_header(path), parse_recipe(text))
    assert (verdict.rule, verdict.group) == ("seen by a reviewer", kind)
    assert [region.box for region in verdict.coordinates] == ([(0, 0, 900, 120)] if masks else [])
    assert reviewer.post("/batches/1/images/1/rule", {"masks": "x"}).status_code == 404
