"""File a request, and decide about it: another person than the one who filed it, and once."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.utils import timezone

from sendit.confirmations.models import Kind, Request, RequestState, nothing
from sendit.phi import Phi


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs a command: an account of the operating system, and the one behind sudo."""

    name: str
    behind: str = ""

    @classmethod
    def of_process(cls, environ: Mapping[str, str]) -> Account:
        """Return the account of this process."""
        number = os.getuid()
        try:
            name = pwd.getpwuid(number).pw_name
        except KeyError:  # in a container, a user may have no name
            name = str(number)
        behind = environ.get("SUDO_USER", "")
        return cls(name, behind if behind != name else "")


class Decision(StrEnum):
    """What became of a person's wish to decide."""

    CONFIRMED = "confirmed"
    DECLINED = "declined"
    NOT_WAITING = "not waiting"
    """There is no such request, or somebody has decided about it."""
    OWN_REQUEST = "own request"
    """Whoever filed it may not decide about it."""


def file(
    kind: Kind, project: str, account: Account, reason: str, content: Mapping[str, Any], about: Mapping[str, Any]
) -> Request:
    """Keep a request until somebody decides."""
    return Request.objects.create(
        kind=kind,
        project=project,
        filed_by=account.name[:150],
        filed_for=account.behind[:150],
        reason=Phi(reason),
        content=Phi(dict(content)),
        about=dict(about),
    )


def decide(
    request: int, actor: str, *, is_confirmed: bool, carry_out: Callable[[Request], None], kinds: frozenset[Kind]
) -> Decision:
    """Decide about a request of one of the kinds; what is confirmed is carried out in the same transaction.

    Raises what `carry_out` raises; the request waits then as before.
    """
    with transaction.atomic():
        row = Request.objects.select_for_update().filter(pk=request, state=RequestState.WAITING, kind__in=kinds).first()
        if row is None:
            return Decision.NOT_WAITING
        if is_same_person(actor, row):
            return Decision.OWN_REQUEST
        if is_confirmed:
            carry_out(row)
        row.state = RequestState.CONFIRMED if is_confirmed else RequestState.DECLINED
        row.decided_by, row.decided_at, row.content = actor[:150], timezone.now(), nothing()
        row.save()
    return Decision.CONFIRMED if is_confirmed else Decision.DECLINED


def is_same_person(actor: str, request: Request) -> bool:
    """Return whether a user of the pages has the name of an account that filed the request, as far as names tell."""
    filed = {name.casefold() for name in (request.filed_by, request.filed_for) if name}
    name = actor.casefold()
    return name in filed or name.partition("@")[0] in {account.partition("@")[0] for account in filed}
