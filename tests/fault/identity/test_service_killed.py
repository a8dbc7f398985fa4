"""The served identity service is killed, stays away for longer than anyone asks, and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendit.pipeline.record.models import Batch
from tests.support.aftermath import everything_is_right
from tests.support.identity_server import IdentityServer
from tests.support.site import Site, leaks_under


@pytest.mark.xdist_group("identity server")
def test_batches_wait_for_a_service_that_was_killed_and_each_is_done_once_when_it_is_back(
    site: Site, tmp_path: Path
) -> None:
    for number in range(4):
        site.study(number, images=2)
    with IdentityServer(tmp_path / "server", b"a key for a service that is killed") as server:
        secrets = str(server.client("gateway", tmp_path))
        site.set(ANONYMIZE_RESTFUL=True, IDENTITY_URL=server.url, STANFORD_CLIENT_SECRETS=secrets)
        site.set(IDENTITY_RETRY_SECONDS=0.2)
        first, *others = site.queue()
        process(site, first)
        server.kill()
        for key in (*others, *others):
            process(site, key)
        waiting = Batch.objects.filter(pk__in=others)
        assert set(waiting.values_list("state", "waits_for", "attempts")) == {("QUEUE", "IdentityDown", 0)}
        server.start()
        server.rows("UPDATE identity_service_tokenpair SET access_expires_at = '2000-01-01'")
        for key in others:
            process(site, key)
        site.deliver()
        everything_is_right(site, images=2)
        asked = server.rows("SELECT count(*) FROM identity_service_audit WHERE call = 'uid' AND code = ''")
        assert asked == [(4,)]
        assert leaks_under(server.var) == {}


def process(site: Site, key: int) -> None:
    from sendit.pipeline.record.leases import Job

    let_time_pass()
    site.attempt(key, Job.PROCESS)


def let_time_pass() -> None:
    for batch in Batch.objects.all():
        Batch.objects.filter(pk=batch.pk).update(not_before=batch.created_at)
