"""Whose batch is taken up next: by shares and priorities, and not while its project is paused or refused."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from sendit.pipeline.record import turns
from sendit.pipeline.record.leases import Lease, LeaseTerms, claim_oldest, claimable
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.states import Job
from sendit.pipeline.record.turns import Turns
from tests.support.shell import run
from tests.support.site import Site


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "KNOWN_SECONDS", 0.0)


def wait_for(project: str, number: int) -> None:
    """Have so many batches of a project wait in QUEUE."""
    first, now = Batch.objects.count(), timezone.now()
    Batch.objects.bulk_create(
        Batch(project=project, folder_digest=f"{first + count}", uid_digest="u", state="QUEUE", not_before=now)
        for count in range(number)
    )


def terms_of(site: Site, seed: int = 1) -> LeaseTerms:
    projects = site.projects
    return replace(LeaseTerms.of(projects.site), turns=Turns(projects, random.Random(seed)))


def claimed(terms: LeaseTerms, number: int) -> list[str]:
    """The projects of so many claims, in order."""
    leases = [claim_oldest(Job.PROCESS, terms) for _ in range(number)]
    return [lease.batch.project for lease in leases if isinstance(lease, Lease)]


@pytest.mark.on_both_databases
def test_three_batches_do_not_wait_for_many(site: Site) -> None:
    site.project("many")
    site.project("few")
    wait_for("many", 300)
    wait_for("few", 3)
    taken = claimed(terms_of(site), 40)
    assert Counter(taken)["few"] == 3
    assert "few" not in taken[-20:] and taken[-20:] == ["many"] * 20, "when one has none left, the others get all"


def test_a_share_is_a_share_in_the_long_run(site: Site) -> None:
    site.project("one")
    site.project("three", "share = 3\n")
    for name in ("one", "three"):
        wait_for(name, 300)
    counted = Counter(claimed(terms_of(site, seed=7), 300))
    assert 2.2 < counted["three"] / counted["one"] < 4.2


def test_a_higher_priority_comes_first_and_the_rest_afterwards(site: Site) -> None:
    site.project("low", "priority = -1\n")
    site.project("high", "priority = 5\n")
    for name in ("low", "high", "default"):
        wait_for(name, 5)
    assert claimed(terms_of(site), 15) == ["high"] * 5 + ["default"] * 5 + ["low"] * 5


def test_within_a_project_the_batch_that_has_waited_longest_is_first(site: Site) -> None:
    site.project("one")
    wait_for("one", 5)
    leases = [claim_oldest(Job.PROCESS, terms_of(site)) for _ in range(5)]
    assert [lease.batch.pk for lease in leases if lease] == sorted(Batch.objects.values_list("pk", flat=True))


def test_nothing_is_begun_for_a_project_that_is_paused(site: Site) -> None:
    site.project("trial")
    site.study(1, images=1)
    assert run("pause", "--project", "trial").out == "Project trial is paused. What has begun is finished.\n"
    assert "paused already" in run("pause", "--project", "trial").out
    site.process()
    assert dict(Batch.objects.values_list("project", "state")) == {"default": "DONEPROCESSING", "trial": "QUEUE"}
    assert claimed(terms_of(site), 1) == []
    assert "trial, 1 batch waiting: paused until `sendit resume --project trial`" in run("status").out
    assert run("resume", "--project", "trial").out == "Project trial goes on.\n"
    assert "was not paused" in run("resume", "--project", "trial").out
    assert claimed(terms_of(site), 1) == ["trial"]


def test_a_project_that_nobody_knows_cannot_be_paused(site: Site) -> None:
    ran = run("pause", "--project", "trail")
    assert ran.code == 2 and "UnknownProject (trail)" in ran.err


def test_batches_of_a_project_whose_file_is_wrong_wait_until_it_is_right(site: Site) -> None:
    site.project("trial")
    wait_for("trial", 1)
    site.project("trial", "nonsense = 1\n")
    terms = terms_of(site)
    assert claimed(terms, 1) == []
    assert "trial, 1 batch waiting: BadProject (trial.toml, line 2, nonsense" in run("status").out
    site.project("trial")
    assert claimed(terms, 1) == ["trial"]


def test_batches_of_a_project_that_is_gone_are_taken_up_so_that_they_are_seen(site: Site) -> None:
    wait_for("gone", 1)
    assert claimed(terms_of(site), 1) == ["gone"]


def test_a_batch_that_waits_for_its_moment_holds_up_no_other_project(site: Site) -> None:
    site.project("late", "priority = 9\n")
    wait_for("late", 3)
    Batch.objects.update(not_before=timezone.now() + timedelta(seconds=100))
    wait_for("default", 2)
    assert claimed(terms_of(site), 3) == ["default", "default"]


@pytest.mark.on_both_databases
def test_one_statement_finds_who_waits(site: Site) -> None:
    wait_for("a", 2)
    wait_for("b", 1)
    Batch.objects.filter(project="b").update(state="EMPTY")
    assert turns.with_work(Job.PROCESS) == ["a"] and turns.with_work(Job.DELIVER) == []
    assert len(claimable(Job.PROCESS, 5)) == 2


def test_a_batch_that_comes_while_nothing_was_known_to_wait_is_taken_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that ends when nothing is left must not go by what it knew a moment ago."""
    monkeypatch.setattr(turns, "KNOWN_SECONDS", 60.0)
    terms = terms_of(site)
    assert claimed(terms, 1) == []
    wait_for("default", 1)
    assert claimed(terms, 1) == ["default"]
    wait_for("other", 1)
    assert claimed(terms, 1) == ["other"], "though another one was known to wait"
