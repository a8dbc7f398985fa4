"""Who may open what: the table of pages and roles, and the middleware that asks it before every view.

A URL whose name has no row in the table is closed to everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from sendit.audit.acts import Act, Outcome
from sendit.web import answers, idempotency, problems, tokens
from sendit.web.models import User
from sendit.web.noting import note
from sendit.web.reach import reach
from sendit.web.roles import EVERYBODY, Role, Roles
from sendit.web.tokens import Scope

NOBODY: Roles = frozenset()


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read a page (GET, HEAD) and who may send something to it (POST)."""

    reads: Roles = NOBODY
    sends: Roles = NOBODY
    scope: Scope | None = None
    """The scope that a token of the API needs, where the URL is one of the API's."""
    by_project: bool = False
    """Whether it shows and does only what the roles reach: then a role in a project opens it, for that project."""
    is_public: bool = False
    """Whether the page needs no session at all; then `reads` and `sends` only say which methods it has."""

    def of(self, method: str) -> Roles:
        """Return the roles that may use a method."""
        if method == "HEAD" and self.scope is not None:  # django-ninja has GET only
            return NOBODY
        return {"GET": self.reads, "HEAD": self.reads, "POST": self.sends}.get(method, NOBODY)

    def has(self, method: str) -> bool:
        """Return whether the page has that method at all."""
        return bool(self.of(method))


BATCHES = frozenset({Role.VIEWER, Role.OPERATOR, Role.REVIEWER})
REVIEWER, RESEARCHER = frozenset({Role.REVIEWER}), frozenset({Role.RESEARCHER})
OPERATOR, PRIVACY, ADMIN = frozenset({Role.OPERATOR}), frozenset({Role.PRIVACY}), frozenset({Role.ADMIN})
BROKER = frozenset({Role.BROKER})

API = BATCHES | RESEARCHER | ADMIN
API_ROOT = "api:"
"""How the names of the API's URLs begin."""

MONITORED = ("health", "ready", "metrics")
"""What a monitor asks of each process, by whatever name it knows the process."""

ACCESS: dict[str, Access] = {
    # open: nothing in them identifies, and who asks has no session yet
    "health": Access(reads=EVERYBODY, is_public=True),
    "ready": Access(reads=EVERYBODY, is_public=True),
    "metrics": Access(reads=EVERYBODY, is_public=True),
    "static": Access(reads=EVERYBODY, is_public=True),
    "sign-in": Access(reads=EVERYBODY, sends=EVERYBODY, is_public=True),
    "welcome": Access(reads=EVERYBODY, sends=EVERYBODY, is_public=True),
    # systems that send images and show a token of their own
    "dicomweb-studies": Access(sends=EVERYBODY, is_public=True),
    # everybody who has signed in
    "home": Access(reads=EVERYBODY, by_project=True),
    "account": Access(reads=EVERYBODY, sends=EVERYBODY, by_project=True),
    "sign-out": Access(sends=EVERYBODY, by_project=True),
    # batches
    "overview": Access(reads=BATCHES),
    "batches": Access(reads=BATCHES, by_project=True),
    "batches-csv": Access(reads=BATCHES, by_project=True),
    "batches-search": Access(sends=BATCHES, by_project=True),
    "batch": Access(reads=BATCHES, by_project=True),
    # images
    "images": Access(reads=BATCHES, by_project=True),
    "image": Access(reads=BATCHES, by_project=True),
    "image-output": Access(reads=BATCHES, by_project=True),
    "image-original": Access(reads=REVIEWER, by_project=True),
    "image-header": Access(reads=REVIEWER, by_project=True),
    "image-rule": Access(sends=REVIEWER, by_project=True),
    "image-projection": Access(reads=REVIEWER, by_project=True),
    "review": Access(reads=REVIEWER, sends=REVIEWER, by_project=True),
    # what a person may do
    "batch-retry": Access(sends=OPERATOR, by_project=True),
    "retry-code": Access(sends=OPERATOR),
    "queue": Access(sends=OPERATOR),
    "studies": Access(reads=OPERATOR),
    "studies-withdraw": Access(sends=OPERATOR),
    "studies-opt-out": Access(sends=OPERATOR),
    "studies-finish": Access(sends=OPERATOR),
    "studies-redeliver": Access(sends=OPERATOR),
    "batch-withdraw": Access(sends=OPERATOR, by_project=True),
    "batch-readmit": Access(sends=OPERATOR, by_project=True),
    "batch-redeliver": Access(sends=OPERATOR, by_project=True),
    "delivery-pause": Access(sends=OPERATOR),
    "delivery-resume": Access(sends=OPERATOR),
    "watcher-start": Access(sends=OPERATOR),
    "watcher-stop": Access(sends=OPERATOR),
    "listener-start": Access(sends=OPERATOR),
    "listener-stop": Access(sends=OPERATOR),
    # studies that are retrieved from a PACS
    "pulls": Access(reads=OPERATOR, sends=OPERATOR),
    "pull-stop": Access(sends=OPERATOR),
    "pull-go-on": Access(sends=OPERATOR),
    # what researchers ask, and what is approved
    "warehouse": Access(reads=RESEARCHER, sends=RESEARCHER, by_project=True),
    "warehouse-series": Access(reads=RESEARCHER, by_project=True),
    "warehouse-manifest": Access(reads=RESEARCHER, by_project=True),
    "recipes": Access(reads=EVERYBODY, by_project=True),
    "settings": Access(reads=OPERATOR | PRIVACY | ADMIN),
    # what one person has filed and another decides; the page says who may decide about what
    "requests": Access(reads=BROKER | PRIVACY, sends=BROKER | PRIVACY),
    "approval": Access(reads=OPERATOR | REVIEWER | PRIVACY | BROKER | ADMIN),
    # the audit trail
    "audit": Access(reads=PRIVACY),
    "audit-export": Access(reads=PRIVACY),
    # the API: a token's scope says the same again, more narrowly
    "api-docs": Access(reads=API),
    "api-openapi": Access(reads=API),
    "api:api-root": Access(reads=API, scope=Scope.READ, by_project=True),
    "api:batches": Access(reads=BATCHES, scope=Scope.READ, by_project=True),
    "api:batch": Access(reads=BATCHES, scope=Scope.READ, by_project=True),
    "api:batch-history": Access(reads=BATCHES, scope=Scope.READ, by_project=True),
    "api:batch-report": Access(reads=BATCHES, scope=Scope.READ, by_project=True),
    "api:images": Access(reads=BATCHES, scope=Scope.READ),
    "api:metrics": Access(reads=BATCHES, scope=Scope.READ),
    "api:metrics-gb": Access(reads=OPERATOR, scope=Scope.READ),
    "api:metrics-gb-days": Access(reads=OPERATOR, scope=Scope.READ),
    "api:retry": Access(sends=OPERATOR, scope=Scope.OPERATE, by_project=True),
    "api:queue": Access(sends=OPERATOR, scope=Scope.OPERATE),
    "api:withdraw": Access(sends=OPERATOR, scope=Scope.OPERATE),
    "api:opt-out": Access(sends=OPERATOR, scope=Scope.OPERATE),
    "api:redeliver": Access(sends=OPERATOR, scope=Scope.OPERATE),
    "api:batch-withdraw": Access(sends=OPERATOR, scope=Scope.OPERATE, by_project=True),
    "api:batch-readmit": Access(sends=OPERATOR, scope=Scope.OPERATE, by_project=True),
    "api:batch-redeliver": Access(sends=OPERATOR, scope=Scope.OPERATE, by_project=True),
    "api:review": Access(reads=REVIEWER, sends=REVIEWER, scope=Scope.REVIEW),
    "api:projects": Access(reads=OPERATOR, scope=Scope.READ),
    "api:delivery-pause": Access(sends=OPERATOR, scope=Scope.OPERATE),
    "api:delivery-resume": Access(sends=OPERATOR, scope=Scope.OPERATE),
    "api:pulls": Access(reads=OPERATOR, sends=OPERATOR, scope=Scope.OPERATE),
    "api:pull": Access(reads=OPERATOR, scope=Scope.OPERATE),
    "api:pull-stop": Access(sends=OPERATOR, scope=Scope.OPERATE),
    "api:pull-go-on": Access(sends=OPERATOR, scope=Scope.OPERATE),
    "api:query": Access(sends=RESEARCHER, scope=Scope.QUERY, by_project=True),
    # users
    "users": Access(reads=ADMIN, sends=ADMIN),
    "user": Access(reads=ADMIN, sends=ADMIN),
    "tokens": Access(reads=ADMIN, sends=ADMIN),
    "token-revoke": Access(sends=ADMIN),
}
"""Each page by the name of its URL."""


class AccessMiddleware:
    """Asks the table before a view is called."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Return the refusal, or None where the view may answer."""
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name not in MONITORED:
            request.get_host()  # raises DisallowedHost
        row = ACCESS.get(name, Access())
        method = request.method or ""
        if row.is_public and row.has(method):
            return None
        if row.scope is not None:
            return _for_program(request, view, args, kwargs, name, row)
        if not request.user.is_authenticated:
            return _sign_in_first(request)
        if not row.has(method) and row != Access():
            return answers.refused(request, 405)
        if may(request, name, method):
            return None
        note(request, Act.REFUSED, outcome=Outcome.MINOR_FAILURE, reason=name)
        return answers.refused(request, 403)


def _for_program(
    request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any, name: str, row: Access
) -> HttpResponse:
    """Answer a request to the API: by token, or, to read only, within a session, where no form can be forged."""
    token, method = tokens.of(request), request.method or ""
    if token is not None:
        request.user = token.user
    elif not (request.user.is_authenticated and method in ("GET", "HEAD")):
        return problems.problem("NotSignedIn")
    if not row.has(method):
        return problems.problem("WrongMethod")
    is_in_scope = token is None or row.scope in token.scopes.split()
    if not (is_in_scope and may(request, name, method)):
        note(request, Act.REFUSED, outcome=Outcome.MINOR_FAILURE, reason=name)
        return problems.problem("NotAllowed")
    return idempotency.once(request, person(request), lambda: view(request, *args, **kwargs))


def person(request: HttpRequest) -> User:
    """Return who has signed in; only for views behind the middleware."""
    return cast(User, request.user)


def may(request: HttpRequest, name: str, method: str = "GET") -> bool:
    """Return whether the signed-in person may use a page."""
    row = ACCESS.get(name, Access())
    roles = reach(request).here if row.by_project else person(request).roles
    return bool(roles & row.of(method))


def _sign_in_first(request: HttpRequest) -> HttpResponse:
    """Lead a browser to the page where one signs in, and from there back to the page that was asked for."""
    page = reverse("sign-in")
    if request.headers.get("HX-Request"):
        answer = HttpResponse(status=401)
        answer["HX-Redirect"] = page
        return answer
    if request.method in ("GET", "HEAD") and request.path != "/":
        page = f"{page}?{urlencode({'next': request.path})}"
    return redirect(page)
