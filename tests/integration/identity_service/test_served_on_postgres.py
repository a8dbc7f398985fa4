"""The served identity service on PostgreSQL: its processes are forked, and each has a pool of its own."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from sendit.adapters.identity_dasher import DasherIdentityService
from sendit.phi import Phi
from sendit.ports import IdentityRequest, IdentityResponse
from tests.support.identity_server import IdentityServer
from tests.support.phantoms import DIGITS, leaks_in
from tests.support.processes import at_once
from tests.support.servers import Postgres


@pytest.mark.xdist_group("postgres")
def test_many_ask_at_once_and_go_on_when_the_database_was_restarted_or_came_later(
    postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.copy() as name:
        with IdentityServer(tmp_path / "server", b"a key for a service on PostgreSQL", postgres.url(name)) as server:
            secrets = server.client("gateway", tmp_path)
            service = DasherIdentityService(server.url, secrets, call_seconds=30, retry_seconds=30)
            ask = [partial(service.identify, IdentityRequest("irb1", Phi(f"{DIGITS}{one}"), "MRN")) for one in range(6)]
            first = at_once(*ask)
            assert [type(answer) for answer in first] == [IdentityResponse] * 6
            postgres.end()
            postgres.start()
            assert at_once(*ask) == first
            server.kill()
            postgres.end()
            back = threading.Timer(7, postgres.start)  # longer than its pool waits for a connection
            back.start()
            server.start()
            back.join()
            assert at_once(*ask) == first
            said = (server.var / "gunicorn.log").read_text()
            assert "identity.blind code=DatabaseDown" in said and "Traceback" not in said
        assert leaks_in(postgres.texts(name)) == []
