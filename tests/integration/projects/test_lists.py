"""A project's allow-list, and who opted out: of the site or of a project, also while work is under way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch, Image
from sendit.pipeline.stages import lists
from tests.support.phantoms import accession_number, patient_id
from tests.support.shell import run
from tests.support.site import Site

LISTED = "sendit: not in the project's list"


@pytest.fixture
def write(site: Site, tmp_path: Path) -> Callable[[str], Path]:
    """Write a list beside the projects' files, which are not in VAR: nothing there may hold an identifier."""
    folder = tmp_path / "projects"
    folder.mkdir()
    site.set(PROJECTS=folder)

    def write(text: str) -> Path:
        path = folder / "list.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def states(project: str) -> list[str]:
    return list(Batch.objects.filter(project=project).order_by("pk").values_list("state", flat=True))


# ------------------------------------------------------------------------------------------------- allow-list


@pytest.mark.parametrize(
    "text",
    [
        f"AccessionNumber\n{accession_number(1)}\n",
        f"note,PatientID\nx,{patient_id(1)}\n",
        f'\ufeffpatient_id;\n"{patient_id(1)}"\n'.replace(";", ",x"),
        f"MRN,Accession\n,{accession_number(1)}\n{patient_id(7)},\n",
        f"# of the trial's office\n\n{patient_id(1)}\n",
    ],
)
def test_only_who_is_listed_is_the_projects(site: Site, write: Callable[[str], Path], text: str) -> None:
    write(text)
    site.project("trial", 'allow_list = "list.csv"\n')
    for number in (1, 2):
        site.study(number, images=1)
    site.process()
    assert states("default") == ["DONEPROCESSING"] * 2
    assert states("trial") == ["DONEPROCESSING", "EMPTY"]
    unlisted = Batch.objects.get(project="trial", state="EMPTY")
    assert list(Image.objects.filter(batch=unlisted).values_list("outcome", "rule")) == [("filtered", LISTED)]
    assert unlisted.entity_suid == "", "nobody is asked for a pseudonym"


def test_a_list_that_grows_lets_in_what_is_tried_again(site: Site, write: Callable[[str], Path]) -> None:
    write("PatientID\n")
    site.project("trial", 'allow_list = "list.csv"\n')
    site.study(1, images=1)
    site.process()
    assert states("trial") == ["EMPTY"]
    write(f"PatientID\n{patient_id(1)}\n")
    empty = Batch.objects.get(project="trial")
    site.call("retry", str(empty.pk))
    site.process()
    assert states("trial") == ["DONEPROCESSING"]


def test_a_list_that_cannot_be_read_lets_nobody_in(site: Site) -> None:
    site.project("trial", 'allow_list = "list.csv"\n')
    site.study(1, images=1)
    site.process()
    failed = Batch.objects.get(project="trial")
    assert (failed.state, failed.errors[0]["code"]) == ("ERROR", "BadSetting")
    assert states("default") == ["DONEPROCESSING"]


# ------------------------------------------------------------------------------------------------- opt-out


def test_who_opts_out_of_a_project_stays_in_the_others(site: Site, write: Callable[[str], Path]) -> None:
    write(f"AccessionNumber\n{accession_number(1)}\n")
    site.project("trial", 'opt_out = "list.csv"\n')
    site.study(1, images=1)
    site.process()
    assert (states("trial"), states("default")) == (["WITHDRAWN"], ["DONEPROCESSING"])


def test_who_opts_out_of_the_site_is_out_of_every_project(site: Site, write: Callable[[str], Path]) -> None:
    path = write(f"{patient_id(1)}\n")
    site.set(OPT_OUT=path)
    (path.parent / "own.csv").write_text(f"PatientID\n{patient_id(2)}\n")
    site.project("trial", 'opt_out = "own.csv"\n')
    for number in (1, 2):
        site.study(number, images=1)
    site.process()
    assert states("trial") == ["WITHDRAWN", "WITHDRAWN"]
    assert states("default") == ["WITHDRAWN", "DONEPROCESSING"]


def test_who_opts_out_after_processing_is_not_delivered(site: Site, write: Callable[[str], Path]) -> None:
    write("PatientID\n")
    site.project("trial", 'opt_out = "list.csv"\n')
    site.study(1, images=1)
    site.process()
    write(f"PatientID\n{patient_id(1)}\n")
    site.deliver()
    assert (states("trial"), states("default")) == (["WITHDRAWN"], ["DONE"])
    assert not list((site.var / "store").rglob("trial/**/*.tar.gz"))


def test_who_opts_out_during_a_delivery_is_taken_back(
    site: Site, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("PatientID\n")
    site.project("trial", 'opt_out = "list.csv"\n')
    site.study(1, images=1)
    site.process()
    monkeypatch.setattr(lists, "LOOK_SECONDS", 0.0)
    batch = Batch.objects.get(project="trial")
    store = site.projects.of("trial").object_store

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def put(self, *arguments: Any) -> Any:
            stored = store.put(*arguments)
            write(f"PatientID\n{patient_id(1)}\n")
            return stored

    site.replace(object_store=Slow())
    site.attempt(batch.pk, Job.DELIVER)
    assert states("trial") == ["WITHDRAWN"]
    assert not list((site.var / "store").rglob("*.tar.gz"))
    assert site.projects.of("trial").warehouse.query("SELECT count(*) FROM dicom").rows == [(0,)]


def test_what_was_delivered_before_is_named_and_then_taken_back(site: Site, write: Callable[[str], Path]) -> None:
    write("PatientID\n")
    site.project("trial", 'opt_out = "list.csv"\n')
    for number in (1, 2):
        site.study(number, images=1)
    site.process()
    site.deliver()
    assert run("withdraw", "--opt-out", "--dry-run", "--reason", "asked").code == 0
    write(f"PatientID,AccessionNumber\n{patient_id(1)},\n,{accession_number(2)}\n")
    ran = run("withdraw", "--opt-out", "--dry-run", "--reason", "asked")
    keys = sorted(Batch.objects.filter(project="trial").values_list("pk", flat=True))
    assert ran.code == 1
    assert ran.lines == [
        *(f"batch {key} of project trial: DONE" for key in keys),
        "2 batches of those who opted out.",
    ]
    assert run("withdraw", "--opt-out", "--reason", "asked").code == 0
    assert (states("trial"), states("default")) == (["WITHDRAWN"] * 2, ["DONE"] * 2)


def test_nothing_of_a_list_is_kept_in_clear(site: Site, write: Callable[[str], Path]) -> None:
    ids = [f"CANARY{number:05}" for number in range(50)]
    write("PatientID\n" + "\n".join([patient_id(1), *ids]))
    site.project("trial", 'allow_list = "list.csv"\nopt_out = "list.csv"\n')
    site.study(1, images=1)
    site.process()
    said = run("status").out + run("project", "show", "trial").out + run("project", "list").out
    kept = b"".join(path.read_bytes() for path in site.var.rglob("*") if path.is_file())
    assert "CANARY" not in said and b"CANARY" not in kept
    assert states("trial") == ["WITHDRAWN"]
