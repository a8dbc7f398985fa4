"""A reviewer in a real Chromium: three hundred images by keys, masks by mouse and by keyboard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Page, expect

from sendit.pipeline.record.models import Batch, Image, ReviewDecision
from tests.e2e.test_chromium import _keep
from tests.support.browser import Complaints, a_person, chromium, inaccessible, served, sign_in
from tests.support.site import Site

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(600)]
A_MINUTE = 60
Found = TypeVar("Found")


@pytest.fixture
def waiting(site: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    """A study of which every image waits; the address of the pages."""
    site.set(REVIEW="all")
    site.study(1, images=getattr(request, "param", 12) or request.config.getoption("--reviewed"))
    site.process()
    a_person("rae", "reviewer")
    with served(site) as address:
        yield address


def apart(ask: Callable[[], Found]) -> Found:
    """Ask the database in another thread: Playwright's event loop is in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def reviewing(page: Page, address: str) -> Complaints:
    complaints = Complaints(page, address)
    sign_in(page, address, "rae")
    return complaints


@pytest.mark.parametrize("waiting", [None], indirect=True, ids=["many"])
def test_one_person_reviews_sixty_images_a_minute(waiting: str, request: pytest.FixtureRequest) -> None:
    images = request.config.getoption("--reviewed")
    with chromium(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        complaints = reviewing(page, waiting)
        page.goto(f"{waiting}/review")
        page.fill("[name=reason]", "nothing is seen")
        page.locator("[data-image] a").first.focus()
        began, decided = time.monotonic(), 0
        while decided < images:
            shown = page.locator("[data-image]:focus-within img")
            expect(shown).to_have_js_property("complete", True)
            page.keyboard.press("x" if decided % 10 == 9 else "r")
            decided += 1
            if decided % 60 == 0 and decided < images:
                expect(page.locator("[data-image]:not([data-decided])")).to_have_count(60)
        expect(page.locator("main")).to_contain_text("Nothing waits for a decision")
        seconds = time.monotonic() - began
        assert complaints.found == []
    rate = images / seconds * 60
    print(f"{rate:.0f} images a minute")
    assert apart(lambda: ReviewDecision.objects.filter(decision="reject").count()) == images / 10
    batch = apart(lambda: Batch.objects.get())
    assert (batch.state, batch.filtered, batch.in_review) == ("QUEUE", images / 10, 0)
    assert rate >= A_MINUTE


def test_masks_are_drawn_moved_and_deleted_by_mouse_and_keyboard(waiting: str, request: pytest.FixtureRequest) -> None:
    folder = request.config.getoption("--screenshots")
    with chromium(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        complaints = reviewing(page, waiting)
        page.goto(f"{waiting}/review")
        expect(page.locator("[data-image] img").last).to_have_js_property("complete", True)
        assert inaccessible(page) == []
        if folder:
            _keep(page, Path(folder) / "review.png")
        page.goto(f"{waiting}/batches/1/images/1")
        field, svg = page.locator("[data-masks]"), page.locator(".masks")
        expect(page.locator("figure img").first).to_have_js_property("complete", True)
        box = svg.bounding_box()
        assert box
        at = lambda across, down: (box["x"] + box["width"] * across, box["y"] + box["height"] * down)  # noqa: E731
        page.mouse.move(*at(0.4, 0.4))
        page.mouse.down()
        page.mouse.move(*at(0.6, 0.5), steps=4)
        page.mouse.up()
        expect(page.locator(".masks rect")).to_have_count(1)
        left, top, width, height = map(int, field.input_value().split(","))
        assert left > 0 and top > 0 and width > 2 and height > 2
        page.mouse.move(*at(0.5, 0.45))
        page.mouse.down()
        page.mouse.move(*at(0.45, 0.4), steps=4)
        page.mouse.up()
        moved = list(map(int, field.input_value().split(",")))
        assert moved[0] < left and moved[1] < top and moved[2:] == [width, height]
        page.focus("[data-add]")
        page.keyboard.press("Enter")
        expect(page.locator(".masks rect")).to_have_count(2)
        for key in ("ArrowLeft", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowUp"):
            page.keyboard.press(key)
        assert field.input_value().endswith("; 47,49,33,31")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Delete")
        assert field.input_value() == "47,49,33,31"
        assert inaccessible(page) == []
        if folder:
            _keep(page, Path(folder) / "masks.png")
        page.click("text=Make a rule of it")
        expect(page.locator("textarea")).to_have_value(lambda_text := page.locator("textarea").input_value())
        assert "ctpcoordinates 47,49,33,31" in lambda_text
        page.fill("[name=masks]", "47,49,33,31")
        page.fill("[name=reason]", "a name")
        page.click("button:has-text('Release')")
        expect(page.locator("main")).to_contain_text("Image 1 of batch 1 is released")
        assert complaints.found == []
    assert apart(lambda: ReviewDecision.objects.get().masks) == [[47, 49, 80, 80]]
    assert apart(lambda: Image.objects.get(number=1).outcome) == "in review", "until it is made again"


def test_both_pages_fit_a_small_dark_screen(waiting: str) -> None:
    with chromium(viewport={"width": 390, "height": 800}, color_scheme="dark") as context:
        page = context.new_page()
        complaints = reviewing(page, waiting)
        for path in ("/review", "/batches/1/images/1"):
            page.goto(waiting + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert inaccessible(page) == []
        page.click("text=Make a rule of it")
        expect(page.locator("textarea")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390 and inaccessible(page) == []
        assert complaints.found == []


def test_a_page_is_usable_without_its_script(waiting: str) -> None:
    with chromium(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, waiting, "rae")
        page.goto(f"{waiting}/review")
        page.check("[name=images][value='1/2']")
        page.fill("[name=reason]", "a name")
        page.click("button:has-text('Reject the chosen')")
        expect(page.locator("main")).to_contain_text("Image 2 of batch 1 is rejected")
