"""A batch belongs to a project, which says what is done to it and where it goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from sendit.adapters.folder.settings import StoreFolder
from sendit.pipeline import cleaning
from sendit.pipeline.intake.contenders import Contender, admit, unknown
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch
from sendit.pipeline.workforce.runner import attempt
from sendit.projects.composition import Projects
from sendit.projects.destinations import WarehouseFolder
from sendit.projects.project import default_project
from tests.support.site import Site, delivery_of, use_database

BEFORE = [("pipeline", "0003_batches_counted")]


def trial(site: Site) -> Projects:
    """The site with a second project, which differs in everything that is a project's."""
    own = replace(
        default_project(site.settings),
        name="trial",
        recipe="basic",
        collection="TRIAL",
        stores=(StoreFolder(path=site.var / "trial store", name="trial store"),),
        warehouse=WarehouseFolder(site.var / "trial warehouse"),
    )
    return Projects(site.settings, [own])


def test_a_folder_is_a_batch_of_each_project_once(site: Site) -> None:
    folder = str(site.study(1, images=1))
    both = [Contender(folder, 0, "default"), Contender(folder, 0, "trial")]
    assert list(unknown(both)) == both
    assert [bool(admit(contender)) for contender in both] == [True, True]
    assert [bool(admit(contender)) for contender in both] == [False, False]
    assert list(unknown(both)) == []
    assert sorted(Batch.objects.values_list("project", flat=True)) == ["default", "trial"]
    assert len(set(Batch.objects.values_list("folder_digest", flat=True))) == 1


def test_each_batch_gets_the_recipe_store_and_warehouse_of_its_project(site: Site) -> None:
    folder = str(site.study(1, images=1))
    projects = trial(site)
    for name in ("default", "trial"):
        assert admit(Contender(folder, 0, name))
    for job in (Job.PROCESS, Job.DELIVER):
        for pk in Batch.objects.values_list("pk", flat=True):
            attempt(pk, job, projects)
    mine, theirs = Batch.objects.get(project="default"), Batch.objects.get(project="trial")
    assert (mine.state, theirs.state) == ("DONE", "DONE")
    assert (mine.recipe_name, theirs.recipe_name) == ("research", "basic")
    assert delivery_of(mine).object_name.startswith("Collection/IRB00000/") and delivery_of(
        theirs
    ).object_name.startswith("Collection/TRIAL/")
    for batch in (mine, theirs):
        ports = projects.of(batch.project)
        assert ports.object_store.read(delivery_of(batch).object_name, 0, 2) == b"\x1f\x8b"
        assert ports.warehouse.query("SELECT object_name, recipe FROM dicom").rows == [
            (delivery_of(batch).object_name, batch.recipe_name)
        ]


def test_a_batch_of_a_project_that_is_gone_waits_for_a_person_and_is_taken_up_again(site: Site) -> None:
    folder = str(site.study(1, images=2))
    batch = admit(Contender(folder, 0, "trial"))
    assert batch
    site.attempt(batch.pk, Job.PROCESS)
    batch.refresh_from_db()
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 2, 2)
    assert {error["code"] for error in batch.errors} == {"UnknownProject"}
    assert not (site.var / "store").exists()
    site.call("retry", str(batch.pk))
    left = attempt(batch.pk, Job.PROCESS, trial(site))
    assert left and (left.state, left.delivered) == ("DONEPROCESSING", 2)


def test_a_processed_batch_of_a_project_that_is_gone_is_delivered_nowhere(site: Site) -> None:
    folder = str(site.study(1, images=2))
    batch = admit(Contender(folder, 0, "trial"))
    assert batch and attempt(batch.pk, Job.PROCESS, trial(site))
    site.attempt(batch.pk, Job.DELIVER)
    batch.refresh_from_db()
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 2, 2)
    assert not (site.var / "store").exists() and not (site.var / "trial store").exists()


def test_originals_are_compared_with_what_the_batchs_own_store_has(site: Site) -> None:
    folder = site.study(1, images=1)
    batch = admit(Contender(str(folder), 0, "trial"))
    assert batch
    for job in (Job.PROCESS, Job.DELIVER):
        attempt(batch.pk, job, trial(site))
    site.set(ORIGINALS="delete")
    (removal,) = cleaning.plan(trial(site), timedelta())
    assert isinstance(removal, cleaning.Removal) and removal.what == "originals"
    (kept,) = cleaning.plan(site.projects, timedelta())
    assert isinstance(kept, cleaning.Kept) and "UnknownProject" in kept.why
    assert folder.exists()


def test_batches_of_the_last_release_are_of_the_default_project(site: Site, tmp_path: Path) -> None:
    with use_database(f"sqlite:///{tmp_path / 'old.sqlite3'}"):
        executor = MigrationExecutor(connection)
        executor.migrate(BEFORE)
        old = executor.loader.project_state(BEFORE).apps.get_model("pipeline", "Batch")
        old.objects.create(folder_digest="f", uid_digest="u")
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
        batch = Batch.objects.get()
        assert (batch.project, batch.folder_digest, batch.state) == ("default", "f", "NEW")


def test_who_writes_a_batch_and_knows_no_projects_writes_one_of_the_default(site: Site) -> None:
    """A worker of the last release, which may still run while a database is upgraded."""
    batch = Batch.objects.create(folder_digest="f", uid_digest="u")
    names = [field.column for field in Batch._meta.fields if field.column not in ("id", "project", "folder_digest")]
    columns = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO pipeline_batch (folder_digest, {columns}) SELECT 'g', {columns} FROM pipeline_batch"
        )
    assert Batch.objects.exclude(pk=batch.pk).get().project == "default"
