"""What Google's libraries raise, as errors of ours: whose move is next, and not a word of theirs."""

from __future__ import annotations

import http.client
import json
import multiprocessing
from pathlib import Path

import pytest
import requests
from google.api_core import exceptions
from google.api_core.exceptions import GoogleAPICallError, from_http_status
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.resumable_media import InvalidResponse

from sendit.adapters.google_cloud import (
    PASSING_STATUSES,
    Patience,
    Service,
    credentials,
    failures,
    may_pass,
    meaning,
    reason_of,
    speaking_to,
)
from sendit.adapters.per_process import PerProcess
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.pipeline.record.leases import STALL_SECONDS

STORE = Service("object store", "StoreDown")
SAID = "Ashcroft^Marianne"


def answered(status: int, reason: str = "") -> requests.Response:
    """An answer with an error in it, as Google words one."""
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps({"error": {"errors": [{"reason": reason, "message": SAID}]}}).encode()
    return response


def refused(status: int, reason: str = "") -> GoogleAPICallError:
    """What an API's client raises."""
    return from_http_status(status, SAID, errors=[{"reason": reason, "message": SAID}])


def uploaded(status: int, reason: str = "") -> GoogleAPICallError:
    """What an upload raises: the reason is in the answer only."""
    return from_http_status(status, SAID, response=answered(status, reason))


KINDS = {exception for exception in vars(exceptions).values() if isinstance(exception, type)}
API_ERRORS = sorted(
    (one for one in KINDS if issubclass(one, GoogleAPICallError) and one.code), key=lambda one: one.__name__
)


@pytest.mark.parametrize("kind", API_ERRORS)
def test_every_answer_of_an_api_has_a_meaning(kind: type[GoogleAPICallError]) -> None:
    error = meaning(kind(SAID), STORE)
    if kind.code in PASSING_STATUSES:
        assert (type(error), error.code) == (ServiceDown, "StoreDown")
    else:
        codes = {401: "CredentialsRefused", 403: "AccessDenied"}
        assert (type(error), error.code) == (ServiceRefused, codes.get(int(kind.code), "RequestRefused"))
    assert SAID not in str(error)


@pytest.mark.parametrize("make", [refused, uploaded])
@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (403, "rateLimitExceeded", "StoreDown"),
        (403, "quotaExceeded", "StoreDown"),
        (403, "forbidden", "AccessDenied"),
        (400, "backendError", "StoreDown"),
        (400, "invalid", "RequestRefused"),
        (409, "duplicate", "RequestRefused"),
    ],
)
def test_googles_word_for_it_decides(make: object, status: int, reason: str, code: str) -> None:
    error = meaning(make(status, reason), STORE)  # type: ignore[operator]
    assert error.code == code
    if code == "RequestRefused":
        assert error.subject == f"object store, {status} {reason}"


@pytest.mark.parametrize("reason", [SAID, 7, None, ["invalid"], {"x": 1}])
def test_a_reason_that_is_no_word_is_not_repeated(reason: object) -> None:
    error = from_http_status(400, SAID, errors=[{"reason": reason}])
    assert reason_of(error) == ""
    assert meaning(error, STORE).subject == "object store, 400"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (requests.ConnectionError(SAID), "StoreDown"),
        (requests.Timeout(SAID), "StoreDown"),
        (requests.exceptions.ChunkedEncodingError(SAID), "StoreDown"),
        (requests.exceptions.JSONDecodeError(SAID, SAID, 0), "StoreDown"),
        (http.client.IncompleteRead(b""), "StoreDown"),
        (ConnectionResetError(SAID), "StoreDown"),
        (TimeoutError(SAID), "StoreDown"),
        (exceptions.RetryError(SAID, None), "StoreDown"),
        (TransportError(SAID), "StoreDown"),
        (RefreshError(SAID, retryable=True), "StoreDown"),
        (RefreshError(SAID, {"error": "invalid_grant"}), "CredentialsRefused"),
        (DefaultCredentialsError(SAID), "CredentialsRefused"),
        (InvalidResponse(answered(503), SAID), "StoreDown"),
        (InvalidResponse(answered(403, "forbidden"), SAID), "AccessDenied"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_whatever_else_they_raise_has_one_too(error: Exception, code: str) -> None:
    assert isinstance(error, failures())
    assert may_pass(error) == (code == "StoreDown")
    with pytest.raises(SenditError) as raised, speaking_to(STORE):
        raise error
    assert raised.value.code == code
    assert SAID not in str(raised.value) and raised.value.__suppress_context__


def test_what_is_not_theirs_goes_its_way() -> None:
    for error in (ZeroDivisionError(), FileNotFoundError(2, "no"), Misconfigured("BadQuery")):
        with pytest.raises(type(error)), speaking_to(STORE):
            raise error


def test_a_library_that_is_not_there_is_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "google.cloud.storage", None)
    with pytest.raises(Misconfigured, match=r"MissingExtra \(google\)"), speaking_to(STORE):
        from google.cloud.storage import Client  # noqa: F401
    with pytest.raises(ImportError), speaking_to(STORE):
        import nothing_of_that_name  # type: ignore[import-not-found]  # noqa: F401


def test_a_lease_outlives_the_longest_time_without_a_check() -> None:
    """The few requests that make a table, each of which may be repeated until patience ends."""
    patience = Patience()
    request_seconds = patience.retry_seconds + patience.connect_seconds + patience.answer_seconds
    assert 6 * request_seconds < STALL_SECONDS


def test_a_client_is_of_its_own_process() -> None:
    clients = PerProcess(object)
    mine = clients.get()
    assert clients.get() is mine
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=lambda: there.send(clients.get() is mine))
    child.start()
    assert here.recv() is False
    child.join()


@pytest.mark.parametrize("content", [None, "", "no json", "{}", '{"type": "service_account"}'])
def test_credentials_that_cannot_be_read_are_the_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "credentials.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(Misconfigured, match="NoCredentials") as raised:
        credentials("https://example.org/scope", anonymous=False)
    assert str(path) not in str(raised.value)
