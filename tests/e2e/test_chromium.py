"""The pages in a real Chromium: each page for each width and colour scheme, and what a coordinator does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from demo import studies
from sendit.pipeline import operations
from sendit.pipeline.record.models import Batch
from tests.support.browser import Complaints, a_person, chromium, inaccessible, served, sign_in
from tests.support.site import Site

pytestmark = [pytest.mark.xdist_group("chromium"), pytest.mark.timeout(600)]

EVERY_ROLE = ("operator", "reviewer", "researcher", "privacy", "broker", "admin")
PAGES = (
    "/overview", "/batches", "/batches?state=ERROR", "/batches/10", "/batches/2/images", "/batches/2/images/1",
    "/batches/11/images/2", "/studies", "/review", "/pulls", "/warehouse", "/warehouse/series", "/recipes", "/settings",
    "/audit", "/approval", "/requests",
    "/users", "/users/1", "/tokens", "/api/docs", "/account", "/nothing",
)  # fmt: skip
PICTURES = {"/overview": "overview", "/batches/10": "batch", "/batches/2/images/1": "image"}
expect.set_options(timeout=60_000)
LOOKS = [(1280, "light"), (390, "dark")]


@pytest.fixture
def demo(site: Site) -> Iterator[str]:
    """What `make demo` makes, delivered, in pages of a server of its own; the address."""
    studies.make(site.data)
    site.process()
    site.deliver()
    operations.file_approval(site.projects, "default", operations.Account("olga", "root"), "the first version")
    a_person("ada", *EVERY_ROLE)
    a_person("vic", "viewer")
    with served(site) as address:
        yield address


def test_every_page_is_clean_usable_and_fits_in_light_and_dark(demo: str, request: pytest.FixtureRequest) -> None:
    folder = request.config.getoption("--screenshots")
    found: list[str] = []
    for width, scheme in LOOKS:
        with chromium(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
            page = context.new_page()
            complaints = Complaints(page, demo)
            sign_in(page, demo, "ada")
            for path in PAGES:
                page.goto(demo + path)
                page.wait_for_load_state("networkidle") if "images/" in path else None
                found += [f"{path} {width} {scheme}: {one}" for one in inaccessible(page)]
                wide = page.evaluate("document.documentElement.scrollWidth")
                found += [f"{path} is {wide} px wide at {width}"] if wide > width else []
                if folder and path in PICTURES and scheme == "light":
                    _keep(page, Path(folder) / f"{PICTURES[path]}.png")
            found += [one for one in complaints.found if "/nothing" not in one and "404" not in one]
    assert found == []


def test_what_the_pages_are_searched_for_would_be_found() -> None:
    with chromium() as context:
        page = context.new_page()
        complaints = Complaints(page, "http://127.0.0.1")
        page.set_content("<title>x</title><main><img src='http://127.0.0.1:1/x.png'><button></button></main>")
        page.evaluate("console.error('said')")
        assert {one.partition(":")[0] for one in inaccessible(page)} >= {"image-alt", "button-name"}
        assert "console: said" in complaints.found


def _keep(page: Page, path: Path) -> None:
    """Keep a picture in few colours, which makes it small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def test_a_coordinator_finds_out_why_looks_and_retries_by_keyboard_and_mouse(demo: str) -> None:
    with chromium(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        complaints = Complaints(page, demo)
        sign_in(page, demo, "ada")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Skip to the content")
        page.click("text=MixedPatients")
        page.click("table a >> nth=0")
        expect(page.locator("main")).to_contain_text("The folder holds more than one patient")
        page.focus("button:has-text('Retry')")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_contain_text("is queued again")
        assert Batch.objects.get(pk=12).state == "QUEUE"
        page.fill("[name=wanted]", "ACC1002") if page.locator("[name=wanted]").count() else page.goto(f"{demo}/batches")
        page.fill("[name=wanted]", "ACC1002")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("Batch 2")
        assert "ACC1002" not in page.url and "ACC1002" not in page.title()
        assert complaints.found == []


def test_the_window_of_a_picture_follows_the_mouse_and_frames_the_keys(demo: str) -> None:
    with chromium(viewport={"width": 1280, "height": 1000}) as context:
        page = context.new_page()
        complaints = Complaints(page, demo)
        sign_in(page, demo, "vic")
        page.goto(f"{demo}/batches/2/images/1")
        picture = page.locator(".stage img")
        before = picture.screenshot()
        box = picture.bounding_box()
        assert box
        page.mouse.move(box["x"] + 50, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 60, box["y"] + 250, steps=4)
        page.mouse.up()
        expect(picture).to_have_attribute("src", re.compile(r"center=.+&width="))
        page.wait_for_load_state("networkidle")
        assert picture.screenshot() != before
        page.goto(f"{demo}/batches/9/images/1")
        page.focus(".stage")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        expect(page.locator("[data-frame-shown]")).to_have_text("4")
        expect(picture).to_have_attribute("src", re.compile(r"frame=4"))
        page.wait_for_load_state("networkidle")
        assert complaints.found == []


def test_the_list_shows_news_by_itself_and_the_first_admin_begins_with_the_link(site: Site) -> None:
    process = site.start("web", "--listen", "127.0.0.1:0")
    assert process.stdout
    said = "".join(process.stdout.readline() for _ in range(3))
    address, link = re.findall(r"http://127\.0\.0\.1:\d+", said)[0], re.findall(r"http\S+/welcome/\S+", said)[0]
    with chromium(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        complaints = Complaints(page, address)
        page.goto(link)
        page.fill("[name=name]", "ada")
        page.fill("[name=password]", "a long enough phrase")
        page.fill("[name=again]", "a long enough phrase")
        page.click("text=Begin")
        expect(page.locator("h1")).to_have_text("Overview")
        expect(page.locator("a.tile.state-queue .number")).to_have_text("0")
        site.study(1)
        with ThreadPoolExecutor(1) as beside:  # in this thread Playwright's loop keeps a database connection of its own
            assert len(beside.submit(site.queue).result()) == 1
        expect(page.locator("a.tile.state-queue .number")).to_have_text("1")
        page.click("text=Sign out")
        expect(page.locator("h1")).to_have_text("Sign in")
        page.go_back()
        page.reload()
        expect(page.locator("h1")).to_have_text("Sign in")
        assert complaints.found == []
