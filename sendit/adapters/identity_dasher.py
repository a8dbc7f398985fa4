"""A client of the DASHER identity service, Stanford's or one that sendit serves; it repeats only what may help.

Identifiers travel only in the body of a POST: never in a URL, a log line or an error.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sendit.adapters import dasher_answers
from sendit.adapters.http_post import HttpAnswer, NoAnswer, post_json
from sendit.client_secrets import ClientSecrets, SecretsFile, Tokens, is_token
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest, IdentityResponse

CHUNK_ITEMS = 950
"""The service takes at most 1000 items at a time."""

FIRST_DELAY_SECONDS = 0.5
MOST_PATIENCE_SECONDS = 600.0
"""The longest wait; a service that sends a longer Retry-After is asked again after this time."""

MAY_PASS = {408, 425, 429, *range(500, 600)}
REFUSED_TOKENS = {400, 401, 403}


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """The request should be repeated, after `seconds` if the service said how long to wait."""

    seconds: float | None = None


class DasherIdentityService:
    """Asks the service at `{url}/v1/uid/{study}`; when a token is refused, it is renewed for all workers at once.

    Parameters
    ----------
    url : str
        Such as `https://api.rit.stanford.edu/identifiers/api`.
    client_secrets : Path
        The client-secrets file; rewritten whenever the tokens are renewed.
    call_seconds : float
        How long one request may take, from the connection to the last byte.
    retry_seconds, first_delay_seconds : float
        For how long a request is repeated, and the wait before the first repetition. `retry_seconds + call_seconds`
        should be less than the time that a worker has to end when it is asked to stop (`supervisor.STOP_SECONDS`).
    """

    def __init__(
        self,
        url: str,
        client_secrets: Path,
        call_seconds: float,
        retry_seconds: float,
        first_delay_seconds: float = FIRST_DELAY_SECONDS,
    ) -> None:
        self._url, self._secrets = url, SecretsFile(client_secrets)
        self._call_seconds, self._retry_seconds = call_seconds, retry_seconds
        self._first_delay_seconds = first_delay_seconds
        self._not_before = 0.0

    def identify(self, request: IdentityRequest) -> IdentityResponse:
        """Return pseudonyms for one patient and their studies.

        Raises
        ------
        ServiceDown
            `IdentityDown`, `IdentityElsewhere`, `IdentityUntrusted`: the service may answer later.
        ServiceRefused
            `BadIdentityRequest`: a blank study or id, or an invalid timestamp; nothing was sent.
            `IdentityRefused`, `BadIdentityAnswer`: the service refused, or its answer does not fit the request.
        Misconfigured
            `ClientSecrets`, `IdentityCredentials`: there are no tokens, or the service refuses them.
        """
        asked = _normal(request)
        return dasher_answers.joined(asked, [self._answer(part) for part in _parts(asked)])

    def _answer(self, asked: IdentityRequest) -> IdentityResponse:
        url, body = f"{self._url}/v1/uid/{quote(asked.study, safe='')}", _body(asked)
        ends_at = time.monotonic() + self._retry_seconds + self._call_seconds
        return dasher_answers.response(self._answered(lambda: self._authorized(url, body, ends_at), ends_at), asked)

    def _authorized(self, url: str, body: Phi[bytes], ends_at: float) -> HttpAnswer | NoAnswer:
        """Send the request with the access token; if the token is refused, renew it and send once more."""
        tokens = self._secrets.read().tokens
        answer = self._post(url, body, ends_at, tokens)
        if isinstance(answer, HttpAnswer) and answer.status == 401:
            patience_seconds = ends_at - time.monotonic()
            tokens = self._secrets.renewed(tokens, lambda old: self._renew(old, ends_at), patience_seconds).tokens
            answer = self._post(url, body, ends_at, tokens)
        return answer

    def _renew(self, secrets: ClientSecrets, ends_at: float) -> Tokens:
        """Renew the tokens. The call always gets its full time: the only valid tokens would be lost with its answer."""
        ends_at = max(ends_at, time.monotonic() + self._call_seconds)
        body = Phi(json.dumps({"refreshToken": secrets.tokens.refresh}).encode())
        return _tokens(self._answered(lambda: _for_tokens(self._post(secrets.token_uri, body, ends_at)), ends_at))

    def _post(self, url: str, body: Phi[bytes], ends_at: float, tokens: Tokens | None = None) -> HttpAnswer | NoAnswer:
        headers = {"Authorization": f"Bearer {tokens.access}"} if tokens else {}
        return post_json(url, body, headers, min(self._call_seconds, ends_at - time.monotonic()))

    def _answered(self, ask: Callable[[], HttpAnswer | NoAnswer | SenditError], ends_at: float) -> Any:
        """Return the service's answer. The call is repeated as long as that may help and there is time for it."""
        for delay_seconds in self._delays():
            if time.monotonic() < self._not_before:
                break
            verdict = judged(ask())
            if isinstance(verdict, SenditError):
                raise verdict
            if not isinstance(verdict, RetryAfter):
                return verdict
            if verdict.seconds is not None:
                delay_seconds = verdict.seconds
            if time.monotonic() + delay_seconds > ends_at - self._call_seconds:
                self._not_before = time.monotonic() + (verdict.seconds or 0)
                break
            time.sleep(delay_seconds)
        raise ServiceDown("IdentityDown")

    def _delays(self) -> Iterator[float]:
        """Yield exponentially growing delays, randomised so that workers do not retry in step."""
        delay_seconds = self._first_delay_seconds
        while True:
            yield delay_seconds * random.uniform(0.5, 1)
            delay_seconds *= 2


def judged(answer: HttpAnswer | NoAnswer | SenditError) -> Any:
    """Return the JSON that the answer holds, a `Wait` if the call should be repeated, or an error."""
    match answer:
        case SenditError():
            return answer
        case NoAnswer.DOWN:
            return RetryAfter()
        case NoAnswer.UNTRUSTED:
            return ServiceDown("IdentityUntrusted")
        case HttpAnswer(status=200):
            return _content(answer)
        case HttpAnswer(status=401):
            return Misconfigured("IdentityCredentials")
        case HttpAnswer(status=status) if status in MAY_PASS:
            return RetryAfter(_retry_after_seconds(answer.headers.get("retry-after", "")))
        case HttpAnswer(status=status) if 300 <= status < 400:
            return ServiceDown("IdentityElsewhere")
        case HttpAnswer(status=status) if status >= 400:
            return ServiceRefused("IdentityRefused", count=status)
        case _:
            return ServiceRefused("BadIdentityAnswer", subject="status")


def _content(answer: HttpAnswer) -> Any:
    """Return the answer's JSON. Other content comes from something else: a proxy, a login page, a missing VPN."""
    try:
        return json.loads(answer.untrusted_body)
    except (ValueError, RecursionError):
        pass
    if "json" in answer.headers.get("content-type", "").lower():
        return ServiceRefused("BadIdentityAnswer", subject="JSON")
    return ServiceDown("IdentityElsewhere")


def _for_tokens(answer: HttpAnswer | NoAnswer) -> HttpAnswer | NoAnswer | SenditError:
    if isinstance(answer, HttpAnswer) and answer.status in REFUSED_TOKENS:
        return Misconfigured("IdentityCredentials")
    return answer


def _tokens(untrusted: Any) -> Tokens:
    for name in ("accessToken", "refreshToken"):
        if not isinstance(untrusted, dict) or not is_token(untrusted.get(name)):
            raise ServiceRefused("BadIdentityAnswer", subject=name)
    return Tokens(untrusted["accessToken"], untrusted["refreshToken"])


def _retry_after_seconds(text: str) -> float | None:
    """Parse Retry-After (RFC 9110, 10.2.3): a number of seconds or a date. Returns None where it is neither."""
    try:
        seconds = float(text) if text.isascii() and text.isdigit() else _seconds_until(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MOST_PATIENCE_SECONDS)


def _seconds_until(moment: datetime) -> float:
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


# ------------------------------------------------------------------------------------------------- the request


def _normal(request: IdentityRequest) -> IdentityRequest:
    """Normalise the request for the wire. Raises ServiceRefused("BadIdentityRequest") before anything is sent."""
    study = request.study.strip().lower()
    entity_id = request.id.reveal().replace("-", "").strip()
    items = tuple(replace(item, id=Phi(item.id.reveal().strip())) for item in request.items)
    moments = filter(None, [request.timestamp, *(item.timestamp for item in items)])
    if not (study and entity_id and all(item.id.reveal() for item in items) and all(map(_is_moment, moments))):
        raise ServiceRefused("BadIdentityRequest")
    return replace(request, study=study, id=Phi(entity_id), items=items)


def _is_moment(timestamp: Phi[str]) -> bool:
    try:
        datetime.fromisoformat(timestamp.reveal())
    except ValueError:
        return False
    return dasher_answers.INSTANT.fullmatch(timestamp.reveal()) is not None


def _parts(asked: IdentityRequest) -> list[IdentityRequest]:
    starts = range(0, max(1, len(asked.items)), CHUNK_ITEMS)
    return [replace(asked, items=asked.items[start : start + CHUNK_ITEMS]) for start in starts]


def _body(asked: IdentityRequest) -> Phi[bytes]:
    entity = _record(asked) | {"items": [_record(item) for item in asked.items]}
    return Phi(json.dumps({"identifiers": [entity]}).encode())


def _record(asked: IdentityRequest | IdentityItem) -> dict[str, Any]:
    record = {"id": asked.id.reveal(), "id_source": asked.id_source}
    return record | ({"id_timestamp": asked.timestamp.reveal()} if asked.timestamp else {})
