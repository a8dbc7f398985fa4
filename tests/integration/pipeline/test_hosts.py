"""Several hosts with folders VAR of their own, on one database: what one has made, it delivers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import override_settings

from sendit.adapters.folder.store import FolderStore
from sendit.adapters.parquet.warehouse import ParquetWarehouse
from sendit.pipeline import checks, operations
from sendit.pipeline.record import clock, hosts
from sendit.pipeline.record.leases import LeaseTerms, claim
from sendit.pipeline.record.models import Batch
from sendit.pipeline.record.site_models import Host
from sendit.pipeline.record.states import Job
from sendit.pipeline.workforce.worker import Worker
from sendit.projects.composition import Projects
from tests.support.site import Site, delivery_of

GONE_SECONDS = 3600


class TwoHosts:
    """Two hosts of a site: they share its database, its keys, its data folder, a store and a warehouse."""

    def __init__(self, site: Site, root: Path) -> None:
        self.site, self.store = site, root / "shared" / "store"
        site.replace(object_store=FolderStore(self.store), warehouse=ParquetWarehouse(root / "shared" / "rows", "C"))
        self.projects = {name: Projects(self._site(name, root / name)) for name in ("alpha", "beta")}

    def _site(self, name: str, var: Path) -> object:
        var.mkdir()
        return replace(self.site.settings, host=name, var=var, secrets=str(self.site.var / "secrets"))

    def work(self, host: str, *jobs: Job) -> Batch:
        """Let a worker of the host work until nothing is left for it; the one batch as it is then."""
        Worker(self.projects[host], jobs, lambda: False).work()
        return Batch.objects.get()

    def silence(self, host: str, seconds: float) -> None:
        """The host was heard of so long ago."""
        Host.objects.filter(name=host).update(seen_at=clock.now() - timedelta(seconds=seconds))

    def archive(self, host: str) -> Path:
        """What the host has made."""
        (found,) = (self.projects[host].site.var / "outbox").glob("*/*.tar.gz")
        return found


@pytest.fixture(autouse=True)
def _no_host_was_heard_of() -> Iterator[None]:
    hosts._beaten_at.clear()
    yield
    hosts._beaten_at.clear()


@pytest.fixture
def two(site: Site, tmp_path: Path) -> TwoHosts:
    """Alpha has processed the one study and was heard of just now."""
    site.study(1, images=2)
    site.queue()
    found = TwoHosts(site, tmp_path)
    batch = found.work("alpha", Job.PROCESS)
    assert (batch.state, batch.host) == ("DONEPROCESSING", "alpha")
    return found


def test_what_a_host_has_made_waits_for_it_and_is_delivered_by_it(two: TwoHosts) -> None:
    two.silence("alpha", GONE_SECONDS - 60)
    assert two.work("beta", Job.PROCESS, Job.DELIVER).state == "DONEPROCESSING"
    assert two.work("alpha", Job.DELIVER).state == "DONE"
    assert Batch.objects.get().events.filter(name="batch.processed").count() == 1


def test_status_names_the_host_that_a_batch_waits_for(two: TwoHosts) -> None:
    two.silence("alpha", 120)
    with override_settings(SITE=two.projects["beta"].site):
        assert "1 batch at DONEPROCESSING for host alpha, which was heard of 2 min ago" in two.site.call("status")
    with override_settings(SITE=two.projects["alpha"].site):
        assert "host alpha" not in two.site.call("status")


def test_what_a_host_that_is_gone_has_made_is_made_again_to_the_same_bytes(two: TwoHosts) -> None:
    two.silence("alpha", GONE_SECONDS + 60)
    batch = two.work("beta", Job.PROCESS, Job.DELIVER)
    assert (batch.state, batch.host) == ("DONE", "beta")
    assert (two.store / delivery_of(batch).object_name).read_bytes() == two.archive("alpha").read_bytes()
    assert batch.events.filter(name="batch.host_gone", fields__host="alpha").count() == 1


def test_nothing_is_made_again_whose_originals_are_not_there(two: TwoHosts) -> None:
    two.silence("alpha", GONE_SECONDS + 60)
    (folder,) = two.site.data.iterdir()
    shutil.move(folder, two.site.data.parent / "kept")
    assert two.work("beta", Job.PROCESS, Job.DELIVER).state == "DONEPROCESSING"
    assert two.work("alpha", Job.DELIVER).state == "DONE"


def test_a_delivery_that_its_host_broke_off_is_taken_up_by_that_host(two: TwoHosts) -> None:
    alpha, beta = (LeaseTerms.of(two.projects[host].site) for host in ("alpha", "beta"))
    batch = Batch.objects.get()
    assert claim(batch.pk, Job.DELIVER, alpha) is not None
    Batch.objects.update(lease_expires_at=clock.now() - timedelta(seconds=1))
    assert claim(batch.pk, Job.DELIVER, beta) is None
    assert claim(batch.pk, Job.DELIVER, alpha) is not None


def test_what_a_host_has_of_a_study_that_another_one_withdraws_goes_when_its_worker_looks_next(two: TwoHosts) -> None:
    archive = two.archive("alpha")
    draft = archive.parent.parent / ".1.0123456789abcdef.tmp"
    draft.mkdir()
    withdrawal = operations.withdraw(1, "consent withdrawn", two.projects["beta"], "somebody")
    assert (withdrawal.hosts, withdrawal.is_complete, archive.exists()) == (("alpha",), False, True)
    two.work("beta", Job.PROCESS, Job.DELIVER)
    assert archive.exists()
    assert two.work("alpha", Job.PROCESS).state == "WITHDRAWN"
    assert list(archive.parent.parent.iterdir()) == []
    assert operations.withdraw(1, "consent withdrawn", two.projects["beta"], "somebody").is_complete


def test_what_a_host_has_of_a_study_that_was_let_in_again_stays(two: TwoHosts) -> None:
    operations.withdraw(1, "consent withdrawn", two.projects["beta"], "somebody")
    operations.readmit(1, "by mistake", "somebody")
    assert two.work("alpha", Job.PROCESS).state == "DONEPROCESSING"
    assert two.work("alpha", Job.DELIVER).state == "DONE"


def test_of_a_delivered_study_no_other_host_has_anything_left(two: TwoHosts) -> None:
    two.work("alpha", Job.DELIVER)
    assert operations.withdraw(1, "consent withdrawn", two.projects["beta"], "somebody").is_complete


def test_what_an_earlier_version_has_made_any_host_may_deliver(two: TwoHosts) -> None:
    Batch.objects.update(host="")
    assert claim(Batch.objects.get().pk, Job.DELIVER, LeaseTerms.of(two.projects["beta"].site)) is not None


def test_several_hosts_need_a_store_and_a_warehouse_that_all_reach(site: Site) -> None:
    def found() -> list[str]:
        return [str(message.id) for message in checks.hosts_share()]

    hosts.beat("alpha")
    assert found() == []
    hosts.beat("beta")
    assert found() == ["sendit.E014"] * 2
    site.set(STORE="gs://bucket", WAREHOUSE="parquet")
    assert found() == ["sendit.E014"]
    Host.objects.filter(name="beta").update(seen_at=clock.now() - timedelta(days=8))
    assert found() == []


def test_two_folders_var_of_one_machine_are_two_hosts_whose_names_stay(site: Site, tmp_path: Path) -> None:
    vars_ = [tmp_path / name for name in ("one", "two")]
    for var in vars_:
        var.mkdir()
    names = [hosts.name_of(replace(site.settings, var=var)) for var in vars_]
    hosts._written_name.cache_clear()
    assert names == [hosts.name_of(replace(site.settings, var=var)) for var in vars_]
    assert len(set(names)) == 2
