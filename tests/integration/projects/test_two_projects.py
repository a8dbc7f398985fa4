"""Projects from files: their folders, their batches, and what may not change once there is one."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.checks import run_checks
from pydicom import dcmread

from sendit.pipeline import cleaning
from sendit.pipeline.intake.watcher import Watcher
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.site_models import ProjectBinding
from sendit.projects.composition import Projects
from tests.support.phantoms import make_study
from tests.support.shell import run
from tests.support.site import Site

SECONDS = 20


class NoWorkers:
    """Takes the supervisor's place."""

    def __enter__(self) -> NoWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def is_working(self) -> bool:
        return True

    def wake(self) -> None:
        pass


def said(code: int, *arguments: str) -> str:
    """What a command says that ends with this exit code."""
    ran = run(*arguments)
    assert ran.code == code
    return ran.out + ran.err


def watch_until(number: int) -> list[tuple[str, str]]:
    """Let the watcher run until there are so many batches; each with its project and its folder's name."""
    ends_at = time.monotonic() + SECONDS
    is_done = lambda: Batch.objects.count() >= number  # noqa: E731 - asked in a loop
    Watcher(Projects(settings.SITE), NoWorkers, lambda: is_done() or time.monotonic() > ends_at).run()
    return sorted((batch.project, batch.uid.reveal()) for batch in Batch.objects.all())


def test_the_watcher_gives_a_folder_to_each_project_whose_data_folder_it_is_in(site: Site, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    site.project("trial")
    site.project("apart", f'data_folders = ["{tmp_path / "other"}"]')
    make_study(site.data / "one", number=1, images=1)
    make_study(tmp_path / "other" / "two", number=2, images=1)
    assert watch_until(3) == [("apart", "two"), ("default", "one"), ("trial", "one")]


def test_a_project_that_is_added_while_the_watcher_runs_takes_what_is_there(site: Site) -> None:
    site.set(RESCAN_SECONDS=1)
    make_study(site.data / "one", number=1, images=1)
    ends_at = time.monotonic() + SECONDS

    def is_done() -> bool:
        if Batch.objects.count() == 1 and not Projects(settings.SITE).names[1:]:
            site.project("trial")
        return Batch.objects.count() == 2 or time.monotonic() > ends_at

    Watcher(Projects(settings.SITE), NoWorkers, is_done).run()
    assert sorted(Batch.objects.values_list("project", flat=True)) == ["default", "trial"]


def test_a_batch_keeps_the_fingerprint_of_its_project_as_it_was(site: Site) -> None:
    site.project("trial")
    site.study(1, images=1)
    before = {name: site.projects.of(name).project.fingerprint for name in ("default", "trial")}
    site.process()
    site.project("trial", 'recipe = "basic"\n')
    assert site.projects.of("trial").project.fingerprint != before["trial"]
    assert dict(Batch.objects.values_list("project", "project_sha256")) == before


@pytest.mark.parametrize("text", ['key = "shared:x"\n', 'key = "site"\n'])
def test_a_key_cannot_change_once_there_is_a_batch(site: Site, text: str) -> None:
    site.project("trial")
    site.study(1, images=1)
    site.process()
    site.project("trial", text)
    site.study(2, images=1)
    site.process()
    first, second = Batch.objects.filter(project="trial").order_by("pk")
    assert (first.state, second.state) == ("DONEPROCESSING", "ERROR")
    assert {error["code"] for error in second.errors} == {"BadProject"}
    assert "trial: its key is not the one that its batches were made with" in said(1, "project", "check")
    site.project("trial")
    site.call("retry", str(second.pk))
    assert [batch.state for batch in site.process()] == ["DONEPROCESSING"]


def test_a_key_may_change_before_there_is_a_batch(site: Site) -> None:
    site.project("trial")
    assert run("project", "check").out
    site.project("trial", 'key = "shared:x"\n')
    site.study(1, images=1)
    site.process()
    assert set(Batch.objects.values_list("state", flat=True)) == {"DONEPROCESSING"}
    assert ProjectBinding.objects.get(name="trial").kind == "shared"


def test_a_name_cannot_change_once_there_is_a_batch(site: Site) -> None:
    file = site.project("trial", 'collection = "IRB7"\n')
    site.study(1, images=1)
    site.process()
    file.rename(file.with_name("study7.toml"))
    assert "trial: it has batches, and its file is gone" in said(1, "project", "check")
    site.study(2, images=1)
    site.process()
    renamed = Batch.objects.filter(project="study7").order_by("pk")[0]
    assert (renamed.state, {error["code"] for error in renamed.errors}) == ("ERROR", {"BadProject"})


def test_originals_stay_as_long_as_another_project_needs_them(site: Site) -> None:
    site.set(ORIGINALS="delete")
    site.project("trial")
    folder = site.study(1, images=1)
    site.process()
    first = Batch.objects.get(project="default")
    site.attempt(first.pk, Job.DELIVER)
    (kept,) = cleaning.plan(site.projects, timedelta())
    assert isinstance(kept, cleaning.Kept) and kept.why == "project trial is not done with the folder"
    site.deliver()
    assert {removal.what for removal in cleaning.plan(site.projects, timedelta())} == {"originals"}
    site.project("trial", 'originals = "keep"\n')
    assert list(cleaning.plan(site.projects, timedelta())) == []
    assert folder.exists()


def test_each_project_has_a_policy_of_its_own(site: Site) -> None:
    site.project("trial", 'identifiers = "purge"\n')
    site.study(1, images=1)
    site.process()
    site.deliver()
    trial = Batch.objects.get(project="trial")
    assert [(removal.what, removal.batch) for removal in cleaning.plan(site.projects, timedelta())] == [
        ("identifiers", trial.pk)
    ]


def test_projects_are_listed_and_shown_with_their_batches(site: Site) -> None:
    site.project("trial", 'title = "Lungs"\nrecipe = "basic"\n')
    site.study(1, images=1)
    site.process()
    rows = [json.loads(line) for line in run("project", "list", "--json").lines]
    assert [(row["name"], row["title"], row["key"], row["batches"]) for row in rows] == [
        ("default", "", "site", 1),
        ("trial", "Lungs", "own", 1),
    ]
    shown = json.loads(run("project", "show", "trial", "--json").out)
    assert (shown["recipe"], shown["batches"]) == ("basic", {"DONEPROCESSING": 1})
    assert shown["fingerprint"] == Batch.objects.get(project="trial").project_sha256


def test_a_refused_project_is_named_with_its_line_and_the_others_go_on(site: Site) -> None:
    site.project("trial", "recipee = 1\n")
    site.study(1, images=1)
    assert [batch.project for batch in site.process()] == ["default"]
    assert "trial.toml, line 2, recipee: no such key; did you mean recipe?" in said(1, "project", "list")
    assert "1 of 2 projects can work." in said(1, "project", "check")


def test_a_new_file_is_written_once(site: Site) -> None:
    assert "Wrote" in run("project", "new", "trial").out
    file = site.settings.projects_folder / "trial.toml"
    before = file.read_bytes()
    assert "There is such a project" in said(2, "project", "new", "trial")
    assert file.read_bytes() == before
    assert "small letters" in said(2, "project", "new", "../trial")
    assert site.projects.names == ("default", "trial")


def test_a_question_goes_to_the_warehouse_of_the_project_that_is_named(site: Site) -> None:
    site.project("trial", 'recipe = "basic"\n')
    site.study(1, images=1)
    site.process()
    site.deliver()
    asked = "SELECT recipe FROM dicom"
    assert run("query", "--format", "csv", asked).lines[1:] == ["research"]
    assert run("query", "--project", "trial", "--format", "csv", asked).lines[1:] == ["basic"]


def test_a_file_is_tried_as_a_project_would_have_it(site: Site, tmp_path: Path) -> None:
    site.project("trial")
    source = site.study(1, images=1)
    for name in ("default", "trial"):
        run("deid", "--project", name, str(source), str(tmp_path / name))
    named = {name: {path.parent.name for path in (tmp_path / name).rglob("*.dcm")} for name in ("default", "trial")}
    expected = site.projects.of("trial").pseudonyms.uid(
        next(dcmread(path) for path in source.iterdir()).StudyInstanceUID
    )
    assert named["trial"] == {expected} and not named["trial"] & named["default"]


def test_a_file_that_everybody_may_change_is_warned_of(site: Site) -> None:
    file = site.project("trial")
    file.chmod(0o646)
    found = [message for message in run_checks() if message.id == "sendit.W012"]
    assert [message.msg for message in found] == ["Everybody on this host may change trial.toml."]
    file.chmod(0o644)
    assert not [message for message in run_checks() if message.id == "sendit.W012"]
