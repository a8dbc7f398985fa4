"""What a page says once, after something was done: kept in the session until it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest

from sendit.errors import SenditError

KEPT = "notices"


def give(request: HttpRequest, sentence: str, *, is_problem: bool = False) -> None:
    """Say it on the next page."""
    request.session[KEPT] = [*request.session.get(KEPT, []), [sentence, is_problem]]


def take(request: HttpRequest) -> list[tuple[str, bool]]:
    """Return what is to be said, once."""
    kept: list[tuple[str, bool]] = request.session.pop(KEPT, []) if KEPT in request.session else []
    return kept


@contextmanager
def of_errors(request: HttpRequest) -> Iterator[None]:
    """Say an error of sendit's in place of raising it: it carries a code and advice, and never a value."""
    try:
        yield
    except SenditError as error:
        give(request, str(error), is_problem=True)
