"""Permissions and folders that are taken away in the middle of the work."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from pytest import MonkeyPatch

from sendit.pipeline import operations
from sendit.pipeline.intake import contenders as intake
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch
from sendit.pipeline.stages import processing
from sendit.projects.project import DEFAULT
from tests.support.processes import FORK
from tests.support.site import Site

DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2
"""Capabilities by which root is not asked for permission (capabilities(7))."""


def become_ordinary() -> None:
    """From now on, this process is asked for permission like any other."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, effective_permitted_inheritable) == 0
    effective_permitted_inheritable[0] &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    assert libc.capset(header, effective_permitted_inheritable) == 0


def process_while(site: Site, meanwhile: Callable[[], object]) -> Batch:
    """Process the queued batch in an ordinary process, while that happens between import and de-identify."""
    (pk,) = site.queue()
    identify = processing.identify

    def identify_then(*arguments: Any) -> Any:
        meanwhile()
        return identify(*arguments)

    def work() -> None:
        become_ordinary()
        with MonkeyPatch.context() as patch:
            patch.setattr(processing, "identify", identify_then)
            site.attempt(pk, Job.PROCESS)

    connections.close_all()
    worker = FORK.Process(target=work)
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    return Batch.objects.get()


def test_a_file_that_may_not_be_read_any_more_is_an_error_of_its_own(site: Site) -> None:
    folder = site.study(images=4)
    batch = process_while(site, lambda: sorted(folder.iterdir())[1].chmod(0))
    assert (batch.state, batch.found, batch.delivered, batch.errored) == ("DONEPROCESSING", 4, 3, 1)
    assert batch.errors == [{"code": "Unreadable", "tag": "", "count": 1, "stage": "de-identify"}]
    assert batch.images.get(number=2).code == "Unreadable"


def test_a_folder_that_may_not_be_read_any_more_is_an_error_and_a_retry_delivers_it(site: Site) -> None:
    folder = site.study(images=4)
    batch = process_while(site, lambda: folder.chmod(0))
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 4, 4)
    assert {error["code"] for error in batch.errors} == {"Unreadable"}
    folder.chmod(0o755)
    retried = operations.retry(batch.pk, operations.COMMAND)
    assert retried and retried.is_queued
    batch.refresh_from_db()
    (batch,) = site.process()
    assert (batch.state, batch.delivered) == ("DONEPROCESSING", 4)


def test_a_folder_that_is_taken_away_is_an_error(site: Site) -> None:
    folder = site.study(images=4)
    batch = process_while(site, lambda: folder.rename(f"{folder}.tmp"))
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 4, 4)
    assert "FolderGone" in {error["code"] for error in batch.errors}


def test_a_folder_that_is_gone_before_the_work_begins_is_an_error(site: Site) -> None:
    folder = site.study(images=4)
    site.queue()
    shutil.rmtree(folder)
    (batch,) = site.process()
    assert (batch.state, batch.found, batch.errors[0]["code"]) == ("ERROR", 0, "FolderGone")


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_sub_folder_that_may_not_be_listed_is_an_error_among_the_files(site: Site, mode: int) -> None:
    folder = site.study(images=2)
    (folder / "sub").mkdir()
    shutil.copy(next(folder.glob("*.dcm")), folder / "sub")
    (folder / "sub").chmod(mode)
    batch = process_while(site, lambda: None)
    assert (batch.state, batch.found, batch.delivered, batch.errored) == ("DONEPROCESSING", 3, 2, 1)
    assert batch.images.get(outcome="error").code == "Unreadable"
    (folder / "sub").chmod(0o755)


@pytest.mark.parametrize("closed", [".", "sub"])
def test_a_folder_that_may_not_be_listed_is_queued_for_its_batch_to_say_so(site: Site, closed: str) -> None:
    folder = site.study(images=2)
    (folder / "sub").mkdir()
    (folder / closed).chmod(0)

    def queue() -> None:
        become_ordinary()
        assert intake.add_up_to(None, [str(site.data)], DEFAULT, settle_seconds=0).number == 1

    connections.close_all()
    worker = FORK.Process(target=queue)
    worker.start()
    worker.join()
    (folder / closed).chmod(0o755)
    assert worker.exitcode == 0
    assert Batch.objects.get().state == "QUEUE"
