"""The identity service in this process: its addresses on the site's database, and a client that may ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client as Browser
from django.test import override_settings

from sendit.client_secrets import Tokens
from sendit.ground.logs import silence_libraries
from sendit.identity_service import tokens
from sendit.identity_service.models import Client
from sendit.projects.composition import pseudonym_key
from tests.support.phantoms import leaks_in
from tests.support.site import Site


class Api:
    """Calls it as a gateway does; what it answers to a refused question may quote nothing."""

    UID = "/identifiers/api/v1/uid/irb12345"
    TOKENS = "/token/api/v1/refresh"

    def __init__(self, client: Client, given: Tokens) -> None:
        self.client, self.tokens = client, given
        self._browser = Browser(raise_request_exception=False)

    def ask(self, content: object, path: str = UID, access: str | None = None, **headers: str) -> Any:
        """POST a question, with the client's access token."""
        authorization = f"Bearer {self.tokens.access if access is None else access}"
        return self.post(path, content, authorization=authorization, **headers)

    def renew(self, refresh: str) -> Any:
        """POST a refresh token; what comes back."""
        return self.post(self.TOKENS, {"refreshToken": refresh})

    def renewed(self, refresh: str) -> Tokens:
        """The same, where it is answered."""
        response = self.renew(refresh)
        assert response.status_code == 200
        return Tokens(response.json()["accessToken"], response.json()["refreshToken"])

    def post(self, path: str, content: object, kind: str = "application/json", **headers: str) -> Any:
        """POST JSON, or bytes as they are."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self._called(lambda: self._browser.post(path, body, content_type=kind, headers=headers))

    def call(self, method: str, path: str) -> Any:
        """Any other call."""
        return self._called(lambda: self._browser.generic(method, path))

    def _called(self, call: Callable[[], Any]) -> Any:
        silence_libraries()  # as the process does; not earlier, for pytest hears every logger that is silent by then
        response = call()
        assert response["Content-Type"] == "application/json" and response["Cache-Control"] == "no-store"
        if response.status_code != 200:
            assert set(response.json()) == {"error", "message"} and leaks_in(response.content) == []
        return response


@pytest.fixture
def api(site: Site) -> Iterator[Api]:
    with override_settings(ROOT_URLCONF="sendit.identity_service.urls", MIDDLEWARE=[]):
        answered_by = tokens.answered_by(pseudonym_key(site.settings), site.settings.max_date_shift_days)
        client = Client.objects.create(
            name="gateway",
            answered_by=answered_by,
        )
        yield Api(client, tokens.issue(client))
