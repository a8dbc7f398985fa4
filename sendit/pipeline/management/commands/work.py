"""`work`: where a pool's workers come from; started by a pool, not by a person."""

from __future__ import annotations

import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sendit.pipeline import nursery


class Command(BaseCommand):
    """The nursery of a pool."""

    help = "Where a pool's workers come from. Started by start_queue and start_watcher, not by a person."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The pool's end."""
        parser.add_argument("--control", type=int, required=True, metavar="FD", help="a socket of the pool's")

    def handle(self, *args: Any, **options: Any) -> None:
        """Fork workers until the pool is gone."""
        nursery.run(socket.socket(fileno=options["control"]))
