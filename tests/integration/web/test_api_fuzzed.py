"""The API answers what its OpenAPI document describes, whatever it is sent, and never fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from sendit.web import tokens
from sendit.web.api import shown
from sendit.web.roles import Role
from sendit.web.tokens import Scope
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import leaks_in
from tests.support.site import Site

FEW = settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    shown.forget_counts()
    with web_settings():
        yield


@pytest.mark.parametrize("roles", [(Role.VIEWER, Role.RESEARCHER), (Role.OPERATOR, Role.RESEARCHER)], ids="-".join)
def test_every_operation_answers_as_described(site: Site, roles: tuple[Role, ...]) -> None:
    from django.core.wsgi import get_wsgi_application

    site.study(1, images=2)
    site.process()
    user = a_user(*roles)
    headers = {"Authorization": f"Bearer {tokens.add(user, 'a program', Scope, 1)}", "Host": "testserver"}
    document = signed_in(user).get("/api/openapi.json").json()
    application = get_wsgi_application()
    schema = schemathesis.openapi.from_dict(document)
    schema.app = application
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @FEW
        @given(case=operation.as_strategy())
        def send(case: schemathesis.Case) -> None:
            nonlocal tried
            tried += 1
            answer = case.call(headers=headers, base_url="http://testserver")
            # Our own header is valid, which it cannot know; and not every text is SQL.
            excluded = [ignored_auth, *([positive_data_acceptance] if case.operation.path == "/api/query" else [])]
            case.validate_response(answer, excluded_checks=excluded)
            assert answer.status_code < 500
            assert Role.OPERATOR in roles or leaks_in(answer.content) == []

        send()
    assert tried >= len(document["paths"])
