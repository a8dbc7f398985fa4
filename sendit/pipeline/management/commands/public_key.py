"""`public_key`: the key with which recipients verify what this site has signed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from sendit.ground.commands import DatabaseCommand
from sendit.keys import KeyFile, load_known
from sendit.papers.signing import public_keys


class Command(DatabaseCommand):
    """Print the public half of the key that signs statements."""

    help = (
        "Print the public key with which recipients verify the statements of deliveries, as PEM, and its fingerprint."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "--all", action="store_true", help="also the keys that the site used before, the newest first"
        )

    def handle(self, *args: Any, all: bool, **options: Any) -> None:
        """Print it."""
        site = settings.SITE
        keys = public_keys(load_known(site.secrets_folder, KeyFile.SIGNING, site.var))
        for key in keys if all else keys[:1]:
            self.stdout.write(key.pem, ending="")
