"""Operations of programs that may be repeated: under an Idempotency-Key the first answer is given again.

A network that breaks after an operation leaves a program without an answer; it asks again under the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from sendit.ground.phi_field import digest
from sendit.web import problems
from sendit.web.models import IdempotencyKey, User

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)


def once(request: HttpRequest, user: User, answer: Callable[[], HttpResponse]) -> HttpResponse:
    """Answer a POST, or repeat the answer that its key has got."""
    key = request.headers.get(HEADER, "")[:128]
    if request.method != "POST" or not key:
        return answer()
    asked = _digest(request)
    row = _taken(user, key, asked)
    if row is None:
        return _repeated(user, key, asked)
    try:
        given = answer()
    except BaseException:
        row.delete()
        raise
    if given.status_code >= 500:  # it may be tried again
        row.delete()
    else:
        IdempotencyKey.objects.filter(pk=row.pk).update(status=given.status_code, body=given.content.decode())
    return given


def _taken(user: User, key: str, asked: str) -> IdempotencyKey | None:
    IdempotencyKey.objects.filter(at__lt=timezone.now() - KEPT).delete()
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(user=user, key=key, asked=asked)
    except IntegrityError:
        return None


def _repeated(user: User, key: str, asked: str) -> HttpResponse:
    row = IdempotencyKey.objects.filter(user=user, key=key).first()
    if row is None or (row.asked == asked and row.status is None):
        return problems.problem("UnderWay")
    if row.asked != asked:
        return problems.problem("KeyUsed")
    kind = problems.PROBLEM if row.status and row.status >= 400 else "application/json; charset=utf-8"
    return HttpResponse(row.body, status=row.status or 200, content_type=kind)


def _digest(request: HttpRequest) -> str:
    """Return a keyed digest of a request: its body may name studies, which a plain one would let be guessed."""
    return digest(f"{request.method} {request.get_full_path()}\n".encode() + request.body)
