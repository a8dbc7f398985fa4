"""`web`: serves the pages to a browser."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from sendit.errors import Misconfigured
from sendit.ground.commands import DatabaseCommand
from sendit.web import accounts

THREADS = 8


class Command(DatabaseCommand):
    """Serve the pages until Ctrl-C; where nobody can sign in yet, print a link that makes the first admin."""

    help = (
        "Serve the pages until Ctrl-C. Where nobody may add users yet, it prints a link that makes the first admin, "
        "once and within 24 hours."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--listen", metavar="ADDRESS:PORT", default=settings.SITE.web_listen, help="default: WEB_LISTEN"
        )

    def handle(self, *args: Any, listen: str, **options: Any) -> None:
        """Serve."""
        try:
            from waitress.server import create_server
        except ImportError:
            raise Misconfigured("MissingPackage", subject="sendit web: sendit[web]") from None
        from sendit.web.wsgi import application

        try:
            server = create_server(application, listen=listen, threads=THREADS, ident=None)
        except (OSError, ValueError):
            raise Misconfigured("CannotListen", subject="SENDIT_WEB_LISTEN") from None
        address = settings.SITE.web_url or f"http://{server.effective_host}:{server.effective_port}"
        self.stdout.write(f"The pages are at {address}/ until Ctrl-C.")
        if not accounts.has_admin():
            self.stdout.write("Nobody can sign in yet. This link makes the first admin, once:")
            self.stdout.write(f"  {address}/welcome/{accounts.new_link(None)}")
        self.stdout.flush()
        server.run()
