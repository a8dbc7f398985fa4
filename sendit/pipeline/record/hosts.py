"""Hosts: which of them has a batch's archive, and which of them are there.

A host is what shares one folder VAR, and so one outbox: a machine as a rule. What a host has made, it delivers. Hosts
share the database, in which each says from time to time that it is there.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from datetime import timedelta
from functools import cache
from pathlib import Path

from sendit.durable import disk, draft_of
from sendit.pipeline.record import clock
from sendit.pipeline.record.site_models import Host
from sendit.projects.site import Site

BEAT_SECONDS = 60
"""How often a process says that its host is there."""
LONGEST_NAME = 64
KNOWN = timedelta(days=7)
"""A host that has been silent for longer is no part of the installation any more."""

_beaten_at: dict[str, float] = {}


class MadeElsewhere(Exception):
    """The batch's archive is in the outbox of a host that is gone; it is made again."""


def name_of(site: Site) -> str:
    """The name of this host: the setting HOST, or what its VAR was called when it was first used."""
    return site.host or _written_name(site.var)


@cache
def _written_name(var: Path) -> str:
    """The machine's name with four digits, for two folders VAR of one machine are two hosts."""
    path = var / "host"
    with disk("VAR"):
        if not path.exists():
            machine = "".join(letter for letter in socket.gethostname() if letter.isalnum() or letter in ".-_")
            draft = draft_of(path)
            draft.write_text(f"{machine[: LONGEST_NAME - 5]}-{secrets.token_hex(2)}\n")
            try:
                os.link(draft, path)
            except FileExistsError:  # another process was faster
                pass
            finally:
                draft.unlink()
        return path.read_text().strip()


def beat(host: str) -> None:
    """Say that the host is there, unless this process has just said so."""
    now = time.monotonic()
    if not host or now - _beaten_at.get(host, -BEAT_SECONDS) < BEAT_SECONDS:
        return
    Host.objects.bulk_create(
        [Host(name=host, seen_at=clock.now())],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["seen_at"],
    )
    _beaten_at[host] = now


def gone(silent_seconds: float) -> list[str]:
    """The hosts that have been silent for so long."""
    before = clock.now() - timedelta(seconds=silent_seconds)
    return list(Host.objects.filter(seen_at__lt=before).values_list("name", flat=True))


def known() -> list[str]:
    """The hosts of this installation."""
    since = clock.now() - KNOWN
    return list(Host.objects.filter(seen_at__gte=since).order_by("name").values_list("name", flat=True))
