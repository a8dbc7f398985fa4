"""What a DICOMweb service is asked: queries (QIDO-RS) and retrievals (WADO-RS) of studies (PS3.18 sections 10.4, 10.6).

The library's exceptions hold the request, and so the identifiers in it: none of them leaves this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from ssl import SSLContext
from typing import Any
from urllib.parse import quote, urlencode

import httpcore

from sendit.errors import Misconfigured, ServiceDown, ServiceRefused
from sendit.receiving.dicomweb.forwarding import Forwarder
from sendit.receiving.dicomweb.store import BadRequest, store
from sendit.receiving.peers import WebService
from sendit.receiving.retrieving.source import Match, Transfer

STUDY_INSTANCE_UID, NUMBER_OF_STUDY_RELATED_INSTANCES = "0020000D", "00201208"
JSON = "application/dicom+json"
IMAGES = 'multipart/related; type="application/dicom"; transfer-syntax=*'

CONNECT_SECONDS, ANSWER_SECONDS = 15.0, 600.0
TIMEOUTS = {"connect": CONNECT_SECONDS, "read": ANSWER_SECONDS, "write": ANSWER_SECONDS, "pool": CONNECT_SECONDS}
LONGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of the answer to a query."""
PAGE = 1000
"""Images that are counted with one query, where the service does not say how many a study has."""
BUSY = frozenset({408, 425, 429})


class WebPacs:
    """A PACS that has a DICOMweb service.

    Parameters
    ----------
    service : WebService
    forwarder : Forwarder
        Takes the images to the listener.
    tls : SSLContext
    """

    def __init__(self, service: WebService, forwarder: Forwarder, tls: SSLContext) -> None:
        self._service, self._forwarder = service, forwarder
        self._pool = httpcore.ConnectionPool(ssl_context=tls)

    def find(self, keys: dict[str, str]) -> list[Match]:
        """Return the studies that match. Raises ServiceDown, ServiceRefused."""
        asked = {**keys, "includefield": NUMBER_OF_STUDY_RELATED_INSTANCES}
        found = {_value(one, STUDY_INSTANCE_UID): one for one in self._query("/studies", asked)}
        return [Match(study, self._images(study, one)) for study, one in found.items() if study]

    def _images(self, study: str, answer: dict[str, Any]) -> int:
        told = _value(answer, NUMBER_OF_STUDY_RELATED_INSTANCES)
        return int(told) if told.isdecimal() else self._counted(study)

    def _counted(self, study: str) -> int:
        count = 0
        while True:
            page = self._query(f"/studies/{quote(study)}/instances", {"limit": str(PAGE), "offset": str(count)})
            count += len(page)
            if len(page) < PAGE:
                return count

    def _query(self, path: str, keys: dict[str, str]) -> list[dict[str, Any]]:
        with self._answer(f"{path}?{urlencode(keys)}", JSON) as response:
            if response.status == 204:
                return []
            content = bytearray()
            for piece in response.iter_stream():
                content += piece
                if len(content) > LONGEST_ANSWER:
                    raise ServiceRefused("PacsRefused", subject="an answer that is too long")
        try:
            found = json.loads(content)
        except ValueError:
            raise ServiceRefused("PacsRefused", subject="an answer that is not JSON") from None
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def bring(self, study: str) -> Transfer:
        """Retrieve a study, image by image, into the listener. Raises ServiceDown, ServiceRefused."""
        with self._answer(f"/studies/{quote(study)}", IMAGES) as response:
            if response.status == 204:
                return Transfer(0, 0)
            headers = {name.lower(): value for name, value in response.headers}
            pieces = response.iter_stream()
            try:
                kind = headers.get(b"content-type", b"").decode("latin-1")
                stored = store(kind, lambda _: next(pieces, b""), self._forwarder)
            except BadRequest as error:
                raise _refusal(415) if error.status == 415 else ServiceDown("PacsDown") from None
        return Transfer(len(stored.kept), len(stored.failed))

    @contextmanager
    def _answer(self, path: str, accept: str) -> Iterator[httpcore.Response]:
        """Ask, and yield an answer of success. Raises ServiceDown, ServiceRefused."""
        headers = {"Accept": accept, "User-Agent": "sendit", **self._credentials()}
        timeouts = {"timeout": TIMEOUTS}
        try:
            with self._pool.stream(
                "GET", self._service.url + path, headers=list(headers.items()), extensions=timeouts
            ) as response:
                if response.status not in (200, 204, 206):
                    raise _refusal(response.status)
                yield response
        except (OSError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
            raise ServiceDown("PacsDown") from None

    def _credentials(self) -> dict[str, str]:
        path = self._service.token_file
        if path is None:
            return {}
        try:
            return {"Authorization": f"Bearer {path.read_text(encoding='ascii').strip()}"}
        except (OSError, ValueError):
            raise Misconfigured("BadPeers", subject="a retrieve_token_file cannot be read") from None


def _value(answer: dict[str, Any], tag: str) -> str:
    """Return the first value of an attribute in the DICOM JSON Model, as text; "" where there is none."""
    attribute = answer.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""


def _refusal(status: int) -> ServiceDown | ServiceRefused:
    """Return what a status means: an overloaded or failing server may recover; everything else will not."""
    if status >= 500 or status in BUSY:
        return ServiceDown("PacsDown")
    return ServiceRefused("PacsRefused", subject=f"status {status}")
