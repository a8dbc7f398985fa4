"""Pause: delivery waits, on whatever way a worker comes to a batch, while batches are still processed."""

from __future__ import annotations

import pytest

from sendit.pipeline.record import leases
from sendit.pipeline.record.leases import Job, LeaseTerms
from sendit.pipeline.record.models import Batch
from sendit.web.roles import Role
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.shell import run
from tests.support.site import Site


@pytest.mark.on_both_databases
def test_nothing_is_delivered_until_delivery_is_resumed(site: Site) -> None:
    site.study(1, images=1)
    assert "Delivery is paused." in run("pause").out and "already" in run("pause").out
    (batch,) = site.process()
    assert batch.state == "DONEPROCESSING"
    terms = LeaseTerms.of(site.settings)
    assert leases.claimable(Job.DELIVER, 10) == []
    assert leases.claim_oldest(Job.DELIVER, terms) is leases.claim(batch.pk, Job.DELIVER, terms) is None
    assert site.deliver()[0].state == "DONEPROCESSING"
    done = run("upload_finished")
    assert (done.code, "paused: 1 batch rest" in done.out) == (1, True)
    assert "paused: batches rest" in run("status").out
    assert "goes on" in run("resume").out and "was not paused" in run("resume").out
    assert site.deliver()[0].state == "DONE"


def test_a_delivery_that_has_begun_is_finished(site: Site) -> None:
    site.study(1, images=1)
    (batch,) = site.process()
    lease = site.claim(batch.pk, Job.DELIVER)
    run("pause")
    assert lease is not None
    lease.check()
    assert Batch.objects.get().state == "UPLOADING"


def test_an_operator_pauses_and_resumes_on_the_page(site: Site) -> None:
    with web_settings():
        browser = signed_in(a_user(Role.OPERATOR))
        assert "Resume delivery" in browser.post("/delivery/pause", follow=True).content.decode()
        assert "Pause delivery" in browser.post("/delivery/resume", follow=True).content.decode()
