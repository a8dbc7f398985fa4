"""Images: a viewer sees the de-identified image, rendered; a reviewer the original beside it, and the headers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import imagecodecs
import numpy as np
import pytest

from sendit import rendering
from sendit.audit.models import AuditRow
from sendit.pipeline.record.models import BatchIdentifiers
from sendit.web import pictures
from sendit.web.roles import Role
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import accession_number, leaks_in, patient_id
from tests.support.site import Site

OUTPUT, ORIGINAL = "/batches/1/images/1/output.png", "/batches/1/images/1/original.png"


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    pictures.forget()
    with web_settings():
        yield


@pytest.fixture
def done(site: Site) -> Site:
    """A delivered study of CT images, with a file that is none."""
    (site.study(1, images=3) / "zqcanary.txt").write_text("no image")
    site.process()
    site.deliver()
    return site


def test_a_viewer_sees_the_deidentified_image_through_a_window(done: Site) -> None:
    browser = signed_in(a_user(Role.VIEWER))
    page = browser.get("/batches/1/images/1")
    assert page.status_code == 200 and leaks_in(page.content) == []
    assert "Original" not in page.content.decode()
    first = browser.get(OUTPUT)
    assert (first.status_code, first["Content-Type"], first["Cache-Control"]) == (200, "image/png", "no-store")
    dark, bright = (
        imagecodecs.png_decode(browser.get(f"{OUTPUT}?center={center}&width=100").content) for center in (9000, -9000)
    )
    assert (dark.max(), bright.min()) == (0, 255)
    assert imagecodecs.png_decode(first.content).std() > 10
    assert browser.get(ORIGINAL).status_code == browser.get("/batches/1/images/1/header").status_code == 403


SENSELESS = ("frame=2", "frame=0", "frame=-3", "frame=nan", "frame=1e99", "center=nan&width=x", "center=1&width=-5")


@pytest.mark.parametrize("query", SENSELESS)
def test_what_is_asked_for_without_sense_is_answered_without_failing(done: Site, query: str) -> None:
    assert signed_in(a_user(Role.VIEWER)).get(f"{OUTPUT}?{query}").status_code in (200, 404)


def test_the_original_and_the_output_show_the_same_picture_where_no_pixel_changed(done: Site) -> None:
    browser = signed_in(a_user(Role.REVIEWER))
    both = [imagecodecs.png_decode(browser.get(f"{one}?center=40&width=400").content) for one in (OUTPUT, ORIGINAL)]
    assert np.array_equal(*both)


def test_a_reviewer_sees_both_headers_with_the_rule_that_decided(done: Site) -> None:
    browser = signed_in(a_user(Role.REVIEWER, name="rae"))
    assert "Original" in browser.get("/batches/1/images/1").content.decode()
    shown = browser.get("/batches/1/images/1/header").content.decode()
    delivered = BatchIdentifiers.objects.get().response.reveal()
    assert patient_id(1) in shown and delivered["suid"] in shown and "ADD PatientID var:entity_id" in shown
    assert shown.index(accession_number(1)) < shown.index(delivered["items"][0]["suid"])
    assert [(row.act, row.actor, row.reason) for row in AuditRow.objects.all()] == [("view-original", "rae", "image 1")]


def test_every_image_that_a_reviewer_looks_at_is_one_row(done: Site) -> None:
    browser = signed_in(a_user(Role.REVIEWER))
    for number in (1, 2, 1):
        for query in ("", "?center=1&width=2"):
            browser.get(f"/batches/1/images/{number}/original.png{query}")
    assert [row.reason for row in AuditRow.objects.order_by("number")] == ["image 1", "image 2"]


def test_a_file_that_was_not_delivered_says_why_and_has_no_output(done: Site) -> None:
    browser = signed_in(a_user(Role.VIEWER))
    page = browser.get("/batches/1/images/4").content.decode()
    assert "NotDicom" in page and "No image was made of this file" in page
    assert browser.get("/batches/1/images/4/output.png").status_code == 404
    assert "NotDicom" in browser.get("/batches/1/images").content.decode()
    assert browser.get("/batches/1/images/9").status_code == browser.get("/batches/9/images").status_code == 404


def test_an_original_that_was_cleaned_up_or_leads_elsewhere_is_said_to_be_gone(done: Site) -> None:
    browser = signed_in(a_user(Role.REVIEWER))
    image, *_ = sorted((done.data / accession_number(1)).iterdir())
    elsewhere = done.var / "elsewhere.dcm"
    shutil.copy(image, elsewhere)
    image.unlink()
    assert "OriginalGone" in browser.get("/batches/1/images/1").content.decode()
    assert "OriginalGone" in browser.get("/batches/1/images/1/header").content.decode()
    image.symlink_to(elsewhere)
    assert browser.get(ORIGINAL).status_code == 404
    elsewhere.unlink()


def test_before_delivery_there_is_no_output_to_look_at(site: Site) -> None:
    site.study(1, images=1)
    site.process()
    browser = signed_in(a_user(Role.VIEWER))
    assert browser.get(OUTPUT).status_code == 404
    assert "NotDelivered" in browser.get("/batches/1/images/1").content.decode()


def test_without_the_extra_the_pages_say_so(done: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "is_available", lambda: False)
    browser = signed_in(a_user(Role.VIEWER))
    for address in ("/batches/1/images", "/batches/1/images/1"):
        assert "extra <code>pixels</code> is not installed" in browser.get(address).content.decode()
    assert browser.get(OUTPUT).status_code == 404


def test_a_long_list_of_images_is_paged(site: Site) -> None:
    site.study(1, images=62)
    site.process()
    browser = signed_in(a_user(Role.VIEWER))
    assert 'href="?after=60"' in browser.get("/batches/1/images").content.decode()
    assert browser.get("/batches/1/images?after=60").content.decode().count('class="badge outcome-') == 2
