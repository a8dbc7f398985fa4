"""The client and the served identity service, each in processes of its own: embedded and shared are one."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import socket
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from sendit.adapters.identity_dasher import DasherIdentityService
from sendit.adapters.identity_local import LocalIdentityService
from sendit.client_secrets import SecretsFile
from sendit.errors import SenditError
from sendit.identity_service import tokens
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse
from tests.support.identity_server import IdentityServer
from tests.support.phantoms import DIGITS
from tests.support.processes import at_once
from tests.support.site import Site

pytestmark = pytest.mark.xdist_group("identity server")

EXPIRE = "UPDATE identity_service_tokenpair SET access_expires_at = '2000-01-01'"


def client_of(server: IdentityServer, secrets: Path) -> DasherIdentityService:
    return DasherIdentityService(server.url, secrets, call_seconds=30, retry_seconds=10)


def any_request(random_: random.Random) -> IdentityRequest:
    """Ids as hospitals have them: hyphens, blanks around, other scripts, and bytes that are no UTF-8."""
    ids = ["".join(random_.choices("0123456789-AÄ名 \udcff", k=random_.randint(3, 12))) + "1" for _ in range(4)]
    items = tuple(IdentityItem(Phi(one), "DCM Accession #", Phi("2010-02-04T00:00:00Z")) for one in ids[1:])
    born = random_.choice([None, Phi("1961-07-27T00:00:00Z"), Phi("0001-01-01T00:00:00Z"), Phi("2000-02-29")])
    return IdentityRequest(random_.choice(["irb1", "IRB12345"]), Phi(ids[0]), "Stanford MRN", born, items)


def test_the_local_the_served_and_the_asked_service_are_one(identity_server: IdentityServer, tmp_path: Path) -> None:
    random_ = random.Random(4)
    key = (identity_server.var / "secrets" / "pseudonym.key").read_bytes()
    local, served = LocalIdentityService(key, 365), client_of(identity_server, identity_server.client("one", tmp_path))
    for _ in range(25):
        request = any_request(random_)
        assert served.identify(request) == local.identify(request)


def test_a_site_may_move_from_embedded_to_shared_without_one_byte_changing(
    site: Site, identity_server: IdentityServer, tmp_path: Path
) -> None:
    site.study(7, images=3)
    site.settings.secrets_folder.mkdir(exist_ok=True)
    shutil.copy(identity_server.var / "secrets" / "pseudonym.key", site.settings.secrets_folder)
    (batch,) = site.process()
    embedded = {path.name: path.read_bytes() for path in (site.outbox / str(batch.pk)).glob("*.tar.gz")}
    type(batch).objects.update(state="QUEUE")
    secrets = str(identity_server.client("mover", tmp_path))
    site.set(ANONYMIZE_RESTFUL=True, IDENTITY_URL=identity_server.url, STANFORD_CLIENT_SECRETS=secrets)
    (again,) = site.process()
    shared = {path.name: path.read_bytes() for path in (site.outbox / str(again.pk)).glob("*.tar.gz")}
    assert len(embedded) == 1 and shared == embedded
    asked = (
        "SELECT study, patients, studies FROM identity_service_audit JOIN identity_service_client c ON c.id = client_id"
    )
    assert identity_server.rows(f"{asked} WHERE c.name = 'mover'") == [("test", 1, 1)]


def asked(number: int = 1) -> IdentityRequest:
    return IdentityRequest("irb1", Phi(f"{DIGITS}{number}"), "Stanford MRN", items=(IdentityItem(Phi(DIGITS), "A"),))


def test_many_workers_whose_token_expired_go_on_with_one_renewal(
    identity_server: IdentityServer, tmp_path: Path
) -> None:
    secrets = identity_server.client("many", tmp_path)
    before = SecretsFile(secrets).read().tokens
    for _ in range(2):
        identity_server.rows(EXPIRE)
        workers = [partial(client_of(identity_server, secrets).identify, asked(number)) for number in range(6)]
        answers = at_once(*workers)
        assert [type(answer) for answer in answers] == [IdentityResponse] * 6
    renewals = "SELECT code FROM identity_service_audit JOIN identity_service_client c ON c.id = client_id"
    assert identity_server.rows(f"{renewals} WHERE c.name = 'many' AND call = 'tokens'") == [("",)] * 2
    after = SecretsFile(secrets).read().tokens
    assert before.access != after.access and before.refresh != after.refresh


def test_a_renewal_whose_answer_was_lost_is_made_up_for(identity_server: IdentityServer, tmp_path: Path) -> None:
    """The worker was killed between the service's answer and its own file."""
    secrets = identity_server.client("lost", tmp_path)
    status, _ = renewal(identity_server, SecretsFile(secrets).read().tokens.refresh)
    assert status == 200
    assert client_of(identity_server, secrets).identify(asked()).entity.suid


def test_a_copy_of_the_secrets_that_is_used_beside_them_ends_both(
    identity_server: IdentityServer, tmp_path: Path
) -> None:
    secrets = identity_server.client("robbed", tmp_path)
    copy = shutil.copy(secrets, tmp_path / "copy.json")
    identity_server.rows(EXPIRE)
    client_of(identity_server, secrets).identify(asked())
    for path in (copy, secrets):
        with pytest.raises(SenditError, match="IdentityCredentials"):
            client_of(identity_server, path).identify(asked())
    assert identity_server.rows("SELECT revoked_for FROM identity_service_client WHERE name = 'robbed'") == [("reuse",)]


def test_of_renewals_that_race_one_pair_is_left_and_nobody_is_locked_out(
    identity_server: IdentityServer, tmp_path: Path
) -> None:
    """As of hosts that share a file without its lock; the one that comes last has the tokens."""
    refresh = SecretsFile(identity_server.client("racing", tmp_path)).read().tokens.refresh
    found = at_once(*(partial(renewal, identity_server, refresh) for _ in range(6)))
    assert [status for status, _ in found] == [200] * 6  # type: ignore[misc]
    pairs = "FROM identity_service_tokenpair t JOIN identity_service_client c ON c.id = client_id WHERE name = 'racing'"
    ((digest,),) = identity_server.rows(f"SELECT refresh_digest {pairs} AND replaced_at IS NULL")
    assert digest in {tokens.digest(answer["refreshToken"]) for _, answer in found}  # type: ignore[misc]
    assert identity_server.rows(f"SELECT count(*) {pairs}") == [(2,)]


def renewal(server: IdentityServer, refresh: str) -> tuple[int, dict[str, str]]:
    with closing(http_connection(server)) as connection:
        body = json.dumps({"refreshToken": refresh})
        connection.request("POST", "/token/api/v1/refresh", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /identifiers/api/v1/uid/" + DIGITS.encode() + b"%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /token/api/v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nZqcanary",
        b"POST /token/api/v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /token/api/v1/refresh HTTP/1.1\r\nHost: x\r\nX: " + b"Zqcanary" * 20_000 + b"\r\n\r\n",
    ],
    ids=["blank", "version", "address", "cut", "length", "header"],
)
def test_what_is_hardly_http_does_no_harm_and_is_not_quoted_in_its_log(
    identity_server: IdentityServer, tmp_path: Path, raw: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", identity_server.port), timeout=30) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass
    with closing(http_connection(identity_server)) as alive:
        alive.request("GET", "/healthz")
        assert alive.getresponse().status == 200


def http_connection(server: IdentityServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
