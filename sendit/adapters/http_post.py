"""One HTTP exchange that ends in time: one deadline over connection, headers and body, whatever drips slowly.

It follows no redirect, reads no environment (proxies, .netrc), keeps no cookie, unpacks nothing. What goes wrong comes
back as a word: the library's exceptions carry the request, and so the identifiers in it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

import httpx

from sendit.deid.phi import Phi

MOST_BYTES = 4_000_000
"""So much of an answer is read; a thousand items take less than a tenth of it."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What somebody answered; headers by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    untrusted_body: bytes


class NoAnswer(Enum):
    """Why there is none."""

    DOWN = "refused, unreachable, reset, too slow, or not HTTP"
    UNTRUSTED = "its certificate is not trusted"


def post_json(url: str, body: Phi[bytes], headers: Mapping[str, str], seconds: float) -> Answer | NoAnswer:
    """POST a JSON body; whatever happens, it is over after so many seconds (and what the resolver takes)."""
    return asyncio.run(_posted(url, body, {"Content-Type": "application/json", **headers}, seconds))


async def _posted(url: str, body: Phi[bytes], headers: Mapping[str, str], seconds: float) -> Answer | NoAnswer:
    try:
        async with asyncio.timeout(seconds):
            return await _exchanged(url, body, headers)
    except httpx.RequestError as error:
        return NoAnswer.UNTRUSTED if _is_about_certificate(error) else NoAnswer.DOWN
    except OSError:  # TimeoutError is one
        return NoAnswer.DOWN


async def _exchanged(url: str, body: Phi[bytes], headers: Mapping[str, str]) -> Answer:
    asks_for = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "sendit", **headers}
    async with (
        httpx.AsyncClient(verify=_trust(), trust_env=False, timeout=None) as client,
        client.stream("POST", url, content=body.reveal(), headers=asks_for) as response,
    ):
        received = bytearray()
        async for chunk in response.aiter_raw():
            received += chunk
            if len(received) > MOST_BYTES:
                break
        return Answer(response.status_code, dict(response.headers), bytes(received))


@cache
def _trust() -> ssl.SSLContext:
    """The authorities that this machine trusts, the hospital's own among them."""
    return ssl.create_default_context()


def _is_about_certificate(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None
