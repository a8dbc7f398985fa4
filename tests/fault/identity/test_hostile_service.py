"""The DASHER client against a server that does everything wrong: never data, never a wait without end, never a word."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sendit.adapters import http_post
from sendit.adapters.identity_dasher import DasherIdentityService
from sendit.client_secrets import ClientSecrets, SecretsFile, Tokens
from sendit.errors import SenditError
from sendit.ground.logs import silence_libraries
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse, Pseudonym
from tests.support.hostile import (
    HostileServer,
    Play,
    answers,
    by_path,
    bytes_then_end,
    drips,
    hangs,
    hostile,
    resets,
    says,
    says_json,
)
from tests.support.phantoms import DIGITS, WORD, leaks_in
from tests.support.processes import at_once

PATIENT = {"call_seconds": 20.0, "retry_seconds": 20.0, "first_delay_seconds": 0.01}
"""More than a busy machine takes; a test of impatience says how long."""
CALL_SECONDS = 0.4
PAGE = b"<!DOCTYPE html><title>Sign in</title>" + WORD.encode()


@pytest.fixture(autouse=True)
def every_library_speaks(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the lowest level, so that the canary hears whatever is said."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpcore", "asyncio"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return tmp_path / "client-secrets.json"


@pytest.fixture
def serving(secrets: Path) -> Iterator[Callable[..., HostileServer]]:
    """Starts a hostile server, and makes the client's secrets for it."""
    with ExitStack() as stack:

        def serve(*plays: Play) -> HostileServer:
            server = stack.enter_context(hostile(*plays))
            write(secrets, server.origin)
            return server

        yield serve


def write(secrets: Path, origin: str, access: str = "access-1", refresh: str = "refresh-1") -> None:
    secrets.unlink(missing_ok=True)
    uri = f"{origin}/token/api/v1/refresh"
    SecretsFile(secrets).write_new(ClientSecrets(Tokens(access, refresh), "gateway", uri))


def ask(server: HostileServer, secrets: Path, *accessions: str, **options: float) -> IdentityResponse:
    service = DasherIdentityService(f"{server.origin}/identifiers/api", secrets, **{**PATIENT, **options})
    return service.identify(asked(*(accessions or ("7",))))


def asked(*accessions: str) -> IdentityRequest:
    items = tuple(IdentityItem(Phi(DIGITS + one), "DCM Accession #", Phi("2010-02-04T00:00:00Z")) for one in accessions)
    return IdentityRequest("irb12345", Phi(f"{DIGITS}-1"), "Stanford MRN", Phi("1933-07-07T00:00:00Z"), items)


def refusal(server: HostileServer, secrets: Path, *accessions: str, **options: float) -> SenditError:
    """The error that it ends in, which may say nothing of a patient, and drags no other exception along."""
    with pytest.raises(SenditError) as caught:
        ask(server, secrets, *accessions, **options)
    error = caught.value
    assert error.__cause__ is None and error.__context__ is None
    assert leaks_in("".join(traceback.format_exception(error))) == []
    return error


def told(error: SenditError) -> tuple[str, str]:
    return error.kind, error.code


# ------------------------------------------------------------------------------------------------- the wire


def test_the_question_is_that_of_the_wire(serving: Any, secrets: Path) -> None:
    server = serving(answers())
    response = ask(server, secrets)
    assert response == IdentityResponse(
        Pseudonym("p0", 5, "1933-07-12T00:00:00-0800"), (Pseudonym("s0", 5, "2010-02-09T00:00:00-0800"),)
    )
    (request,) = server.requests
    assert request.line == "POST /identifiers/api/v1/uid/irb12345 HTTP/1.1"
    assert request.headers["authorization"] == "Bearer access-1"
    assert request.headers["content-type"] == "application/json"
    item = {"id": f"{DIGITS}7", "id_source": "DCM Accession #", "id_timestamp": "2010-02-04T00:00:00Z"}
    entity = {"id": f"{DIGITS}1", "id_source": "Stanford MRN", "id_timestamp": "1933-07-07T00:00:00Z", "items": [item]}
    assert request.json == {"identifiers": [entity]}


def test_no_identifier_is_in_the_address_or_a_header(serving: Any, secrets: Path) -> None:
    server = serving(answers())
    ask(server, secrets)
    assert leaks_in(server.requests[0].line + json.dumps(server.requests[0].headers)) == []


def test_many_studies_are_asked_in_parts_under_one_header_and_joined(serving: Any, secrets: Path) -> None:
    def play(request: Any, connection: Any) -> None:
        first = request.json["identifiers"][0]["items"][0]["id"]
        answers(lambda results: [item.update(suid=f"{first}-{item['suid']}") for item in results[0]["items"]])(
            request, connection
        )

    server = serving(play)
    response = ask(server, secrets, *(f"{number:04}" for number in range(2_000)))
    sizes = [len(request.json["identifiers"][0]["items"]) for request in server.requests]
    assert sizes == [950, 950, 100]
    assert len({json.dumps({**request.json["identifiers"][0], "items": 0}) for request in server.requests}) == 1
    assert response.items[1999].suid == f"{DIGITS}1900-s99"


def test_parts_that_disagree_about_the_patient_are_no_answer(serving: Any, secrets: Path) -> None:
    other = answers(lambda results: results[0].update(suid="p9"))
    error = refusal(serving(answers(), other), secrets, *(str(number) for number in range(951)))
    assert told(error) == ("ServiceRefused", "BadIdentityAnswer")


# ------------------------------------------------------------------------------------------------- tokens


def new_tokens(number: int) -> Play:
    return says_json({"accessToken": f"access-{number}", "refreshToken": f"refresh-{number}"})


def test_a_refused_access_token_is_renewed_once_and_the_question_repeated(serving: Any, secrets: Path) -> None:
    server = serving(says(401), new_tokens(2), answers())
    assert ask(server, secrets).entity.suid == "p0"
    first, renewal, second = server.requests
    assert renewal.line == "POST /token/api/v1/refresh HTTP/1.1" and renewal.json == {"refreshToken": "refresh-1"}
    assert "authorization" not in renewal.headers
    assert (second.headers["authorization"], second.body) == ("Bearer access-2", first.body)
    fields = json.loads(secrets.read_text())
    assert (fields["accessToken"], fields["refreshToken"], fields["client_id"]) == ("access-2", "refresh-2", "gateway")
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in secrets.parent.iterdir() if path.name.endswith(".tmp")] == []


def test_a_service_that_takes_no_token_is_not_asked_for_ever(serving: Any, secrets: Path) -> None:
    server = serving(by_path(uid=says(401, PAGE, "text/html"), token=new_tokens(2)))
    assert told(refusal(server, secrets)) == ("Misconfigured", "IdentityCredentials")
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_refresh_token_is_the_operators_to_mend(serving: Any, secrets: Path, status: int) -> None:
    server = serving(says(401), says(status))
    assert told(refusal(server, secrets)) == ("Misconfigured", "IdentityCredentials")
    assert len(server.requests) == 2
    assert json.loads(secrets.read_text())["refreshToken"] == "refresh-1"


@pytest.mark.parametrize(
    ("play", "code"),
    [
        (says(200, PAGE, "text/html"), "IdentityElsewhere"),
        (says_json({"accessToken": "a"}), "BadIdentityAnswer"),
        (says_json({"accessToken": "a", "refreshToken": ""}), "BadIdentityAnswer"),
        (says_json({"accessToken": "a\r\nX: y", "refreshToken": "b"}), "BadIdentityAnswer"),
        (says_json(["a", "b"]), "BadIdentityAnswer"),
        (says(302, location="http://127.0.0.1:9/"), "IdentityElsewhere"),
        (says(500), "IdentityDown"),
        (says(404), "IdentityRefused"),
        (resets, "IdentityDown"),
    ],
)
def test_tokens_that_are_none_are_not_kept(serving: Any, secrets: Path, play: Play, code: str) -> None:
    server = serving(by_path(uid=says(401), token=play))
    before = secrets.read_bytes()
    assert refusal(server, secrets, retry_seconds=0.3).code == code
    assert secrets.read_bytes() == before


def test_workers_whose_token_ran_out_together_renew_it_once(serving: Any, secrets: Path) -> None:
    """The second renewal would carry a refresh token that is no good any more."""

    def service(request: Any, connection: Any) -> None:
        if request.path.startswith("/token/"):
            time.sleep(0.2)
            is_good = request.json == {"refreshToken": "refresh-1"}
            (new_tokens(2) if is_good else says(401))(request, connection)
        else:
            is_good = request.headers["authorization"] == "Bearer access-2"
            (answers() if is_good else says(401))(request, connection)

    server = serving(service)
    found = at_once(*(partial(ask, server, secrets) for _ in range(6)))
    assert [getattr(one, "entity", one) for one in found] == [Pseudonym("p0", 5, "1933-07-12T00:00:00-0800")] * 6
    assert sum(request.path.startswith("/token/") for request in server.requests) == 1


def test_a_worker_that_renews_for_too_long_does_not_hold_up_the_others(serving: Any, secrets: Path) -> None:
    server = serving(by_path(uid=says(401), token=hangs))
    begun_at = time.monotonic()
    found = at_once(*(partial(ask, server, secrets, call_seconds=CALL_SECONDS, retry_seconds=0.3) for _ in range(3)))
    assert {getattr(error, "code", None) for error in found} == {"IdentityDown"}
    assert time.monotonic() - begun_at < 10


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (None, ""),
        ("", ""),
        ("[]", ""),
        ("{", ""),
        ('{"refreshToken": "r", "token_uri": "https://a.b/c"}', "accessToken"),
        ('{"accessToken": "a", "refreshToken": 7, "token_uri": "https://a.b/c"}', "refreshToken"),
        ('{"accessToken": "a", "refreshToken": "r"}', "token_uri"),
        ('{"accessToken": "a", "refreshToken": "r", "token_uri": "http://a.b/c"}', "token_uri"),
    ],
)
def test_secrets_that_are_not_complete_are_told_by_the_field(
    serving: Any, secrets: Path, content: str | None, field: str
) -> None:
    server = serving(answers())
    secrets.unlink()
    if content is not None:
        secrets.write_text(content)
    error = refusal(server, secrets)
    assert (*told(error), error.subject or "") == ("Misconfigured", "ClientSecrets", field)
    assert server.requests == []


# ------------------------------------------------------------------------------------------------- what may pass


@pytest.mark.parametrize("play", [says(500), says(502, PAGE, "text/html"), says(503), says(408), says(429), resets])
def test_what_may_pass_is_asked_again(serving: Any, secrets: Path, play: Play) -> None:
    server = serving(play, play, answers())
    assert ask(server, secrets).entity.suid == "p0"
    assert len({request.body for request in server.requests}) == 1 and len(server.requests) == 3


CUT = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"results": [{"id": "'
CUT_CHUNKED = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"res'


@pytest.mark.parametrize(
    "play", [bytes_then_end(b""), bytes_then_end(CUT), bytes_then_end(CUT_CHUNKED), bytes_then_end(b"\x16\x03\x01 TLS")]
)
def test_an_answer_that_breaks_off_is_asked_for_again(serving: Any, secrets: Path, play: Play) -> None:
    assert ask(serving(play, answers()), secrets).entity.suid == "p0"


def test_a_storm_of_500_ends_within_its_time_and_leaves_longer_and_longer_pauses(serving: Any, secrets: Path) -> None:
    server = serving(says(500))
    begun_at = time.monotonic()
    error = refusal(server, secrets, retry_seconds=1.5, first_delay_seconds=0.05)
    assert told(error) == ("ServiceDown", "IdentityDown")
    assert time.monotonic() - begun_at < 10
    pauses = [after - before for before, after in zip(server.asked_at, server.asked_at[1:], strict=False)]
    assert 3 <= len(server.requests) <= 7 and pauses[-1] > pauses[0]


def test_nobody_there_is_down(secrets: Path) -> None:
    with hostile(answers()) as server:
        write(secrets, server.origin)
    assert told(refusal(server, secrets, retry_seconds=0.3)) == ("ServiceDown", "IdentityDown")


def test_every_address_of_a_name_is_tried(serving: Any, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, resolve = serving(answers()), socket.getaddrinfo
    with hostile(answers()) as gone:
        nobody = ("127.0.0.1", urlsplit(gone.origin).port)

    def two(*name: Any, **more: Any) -> list[Any]:
        found = resolve(*name, **more)
        return [(*found[0][:4], nobody), *found]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert len(ask(server, secrets, retry_seconds=0.0).items) == 1


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "play",
    [
        hangs,
        drips(b"", b"H", 0.05),
        drips(OK, b"X-More: x\r\n", 0.05),
        drips(OK + b"Content-Length: 100000\r\n\r\n", b" ", 0.05),
        drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.05),
    ],
    ids=["nothing", "status line", "headers", "body", "chunks"],
)
def test_the_deadline_holds_against_a_slow_drip(serving: Any, secrets: Path, play: Play) -> None:
    server = serving(play)
    begun_at = time.monotonic()
    assert told(refusal(server, secrets, retry_seconds=0.0, call_seconds=CALL_SECONDS)) == (
        "ServiceDown",
        "IdentityDown",
    )
    assert CALL_SECONDS <= time.monotonic() - begun_at < CALL_SECONDS + 5


# ------------------------------------------------------------------------------------------------- Retry-After


def test_a_service_that_asks_to_wait_some_seconds_is_given_them(serving: Any, secrets: Path) -> None:
    server = serving(says(429, retry_after="1"), answers())
    ask(server, secrets)
    assert server.asked_at[1] - server.asked_at[0] >= 1.0


def test_a_service_that_asks_to_wait_until_a_moment_is_left_alone_until_then(serving: Any, secrets: Path) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    server = serving(says(503, retry_after=format_datetime(moment, usegmt=True)), answers())
    ask(server, secrets)
    assert server.asked_at[1] - server.asked_at[0] >= 0.9
    assert datetime.now(UTC) >= moment


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "Mon, 99 Foo 2026", "²", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_wait_that_is_none_is_our_own(serving: Any, secrets: Path, text: str) -> None:
    server = serving(says(503, retry_after=text.encode().decode("latin-1")), answers())
    assert ask(server, secrets).entity.suid == "p0"


def test_a_service_that_asks_for_a_long_wait_is_not_asked_for_the_next_batch_either(
    serving: Any, secrets: Path
) -> None:
    server = serving(says(429, retry_after="3600"), answers())
    service = DasherIdentityService(f"{server.origin}/identifiers/api", secrets, **PATIENT)
    for _ in range(3):
        with pytest.raises(SenditError, match="IdentityDown"):
            service.identify(asked("1"))
    assert len(server.requests) == 1


# ------------------------------------------------------------------------------------------------- what will not


@pytest.mark.parametrize(
    ("play", "kind", "code"),
    [
        (says(200, PAGE, "text/html"), "ServiceDown", "IdentityElsewhere"),
        (says(200, b"", "text/plain"), "ServiceDown", "IdentityElsewhere"),
        (says(200, b"\x1f\x8b\x08", content_encoding="gzip"), "ServiceRefused", "BadIdentityAnswer"),
        (says(200, b'{"results": [{"id": "73'), "ServiceRefused", "BadIdentityAnswer"),
        (says(200, b"[" * 100_000), "ServiceRefused", "BadIdentityAnswer"),
        (says(200, b'{"a": ' + b"9" * 5_000 + b"}"), "ServiceRefused", "BadIdentityAnswer"),
        (says(200, b" " * 4_000_001 + b"{}"), "ServiceRefused", "BadIdentityAnswer"),
        (says(204), "ServiceRefused", "BadIdentityAnswer"),
        (says(400), "ServiceRefused", "IdentityRefused"),
        (says(403), "ServiceRefused", "IdentityRefused"),
        (says(404, PAGE, "text/html"), "ServiceRefused", "IdentityRefused"),
        (says(413), "ServiceRefused", "IdentityRefused"),
    ],
)
def test_what_will_not_pass_is_not_asked_again(serving: Any, secrets: Path, play: Play, kind: str, code: str) -> None:
    server = serving(play)
    assert told(refusal(server, secrets)) == (kind, code)
    assert len(server.requests) == 1


def test_a_header_that_quotes_the_question_is_not_logged(serving: Any, secrets: Path) -> None:
    """The library's log of headers is silenced at the door where every library's is."""
    silence_libraries()
    server = serving(says(302, location=f"/login?patient={DIGITS}1"))
    assert told(refusal(server, secrets)) == ("ServiceDown", "IdentityElsewhere")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_no_token_goes_elsewhere(serving: Any, secrets: Path, status: int) -> None:
    with hostile(answers()) as elsewhere:
        server = serving(says(status, location=f"{elsewhere.origin}/identifiers/api/v1/uid/irb12345"))
        assert told(refusal(server, secrets)) == ("ServiceDown", "IdentityElsewhere")
        assert elsewhere.requests == [] and len(server.requests) == 1


def test_a_proxy_in_the_environment_gets_nothing(serving: Any, secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hostile(says(200, PAGE, "text/html")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)
        assert ask(serving(answers()), secrets).entity.suid == "p0"
        assert proxy.requests == []


# ------------------------------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, by nobody that this machine knows; the key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a hospital")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return path


@pytest.fixture
def tls(certificate: Path) -> Iterator[ssl.SSLContext]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    http_post._trust.cache_clear()
    yield context
    http_post._trust.cache_clear()


def test_a_certificate_that_is_not_trusted_is_told_nothing(secrets: Path, tls: ssl.SSLContext) -> None:
    with hostile(answers(), tls=tls) as server:
        write(secrets, server.origin)
        assert told(refusal(server, secrets)) == ("ServiceDown", "IdentityUntrusted")
        assert server.requests == []


def test_a_certificate_by_an_authority_that_this_machine_knows_is_trusted(
    secrets: Path, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # OpenSSL's own way to add one
    with hostile(answers(), tls=tls) as server:
        write(secrets, server.origin)
        assert ask(server, secrets).entity.suid == "p0"


def test_what_speaks_no_tls_is_down(serving: Any, secrets: Path) -> None:
    server = serving(answers())
    url = f"{server.origin.replace('http:', 'https:')}/identifiers/api"
    with pytest.raises(SenditError, match="IdentityDown"):
        DasherIdentityService(url, secrets, call_seconds=CALL_SECONDS, retry_seconds=0.0).identify(asked("1"))


def entity(**changes: object) -> Play:
    return answers(lambda results: results[0].update(changes))


def item(**changes: object) -> Play:
    return answers(lambda results: results[0]["items"][0].update(changes))


def without(key: str, item: bool = False) -> Play:
    return answers(lambda results: (results[0]["items"][0] if item else results[0]).pop(key))


@pytest.mark.parametrize(
    ("play", "key"),
    [
        (says_json({}), "results"),
        (says_json([]), "results"),
        (says_json({"results": {}}), "results"),
        (says_json({"results": []}), "results"),
        (answers(lambda results: results.append(results[0])), "results"),
        (says_json({"results": [None]}), "results"),
        (entity(id=f"{DIGITS}2"), "id"),
        (entity(id=int(f"{DIGITS}1")), "id"),
        (entity(id_source="SHC MRN"), "id_source"),
        (item(id="MCH"), "id"),
        (item(id_source="PACS"), "id"),
        (entity(items=[]), "id"),
        (answers(lambda results: results[0]["items"].append(results[0]["items"][0])), "id"),
        (entity(items=None), "items"),
        *((without(key), key) for key in ("id", "id_source", "suid", "jitter", "items", "jittered_timestamp")),
        *((without(key, item=True), key) for key in ("id", "id_source", "suid", "jitter", "jittered_timestamp")),
        *((entity(suid=suid), "suid") for suid in ("", "a b", "a/b", "../x", "é", "x" * 65, 7, None, f"{DIGITS}1")),
        *((entity(jitter=days), "jitter") for days in ("5", 5.0, 5.5, True, False, None, [5], 0, 36_526, 10**30)),
        (item(jitter=True), "jitter"),
        (item(jitter=6, jittered_timestamp="2010-02-10T00:00:00Z"), "jitter"),
        (entity(jittered_timestamp="1933-07-07T00:00:00Z"), "jittered_timestamp"),
        (entity(jittered_timestamp="19330712"), "jittered_timestamp"),
        (entity(jittered_timestamp="1933-07-12T25:00:00Z"), "jittered_timestamp"),
        (entity(jittered_timestamp="soon"), "jittered_timestamp"),
        (entity(jittered_timestamp=7), "jittered_timestamp"),
    ],
)
def test_an_answer_that_is_not_as_it_must_be_is_never_data(serving: Any, secrets: Path, play: Play, key: str) -> None:
    server = serving(play)
    error = refusal(server, secrets)
    assert (*told(error), error.subject) == ("ServiceRefused", "BadIdentityAnswer", key)
    assert len(server.requests) == 1


def test_two_studies_never_become_one(serving: Any, secrets: Path) -> None:
    server = serving(answers(lambda results: [one.update(suid="s") for one in results[0]["items"]]))
    assert told(refusal(server, secrets, "1", "2")) == ("ServiceRefused", "BadIdentityAnswer")


# ------------------------------------------------------------------------------------------------- what is accepted


@pytest.mark.parametrize(
    "timestamp",
    [
        "1933-07-12T00:00:00-0700",
        "1933-07-12T00:00:00-07:00",
        "1933-07-12T00:00:00Z",
        "1933-07-12T00:00:00.000Z",
        "1933-07-12T11:50:00.1234567+0530",
        "1933-07-12",
        None,
    ],
)
def test_every_form_of_an_instant_is_accepted(serving: Any, secrets: Path, timestamp: str | None) -> None:
    assert ask(serving(entity(jittered_timestamp=timestamp)), secrets).entity.timestamp == timestamp


def test_studies_in_another_order_get_their_own_pseudonyms(serving: Any, secrets: Path) -> None:
    response = ask(serving(answers(lambda results: results[0]["items"].reverse())), secrets, "1", "2", "3")
    assert [one.suid for one in response.items] == ["s0", "s1", "s2"]


def test_more_than_was_asked_is_ignored(serving: Any, secrets: Path) -> None:
    assert ask(serving(entity(more="x", jitter=5)), secrets).entity == Pseudonym("p0", 5, "1933-07-12T00:00:00-0800")
