"""`verify`: compares deliveries with their signed statements, offline."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from sendit.ground.commands import NEEDS_A_LOOK, WrongUse
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.terminal import counted
from sendit.keys import KeyFile, is_there, load_known
from sendit.papers.signing import PublicKey, public_keys, read_public_keys
from sendit.papers.verification import Verified, verify


class Command(ShellCommand):
    """Say of each delivery whether it is what the site has signed, and name what is not."""

    help = (
        "Compare an archive, or everything below a folder, with the signed statements beside it: archives, reports and "
        "images that were taken out of archives. What was changed is named. Nothing but these files and the site's "
        "public key is needed. Exit code 1 if anything is not as it was signed."
    )
    requires_system_checks = []
    needs_keys = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("path", metavar="ARCHIVE|FOLDER", help="an archive, or a folder of deliveries or images")
        parser.add_argument(
            "--key",
            metavar="FILE",
            help="the site's public key, which `sendit public_key` prints (default: that of the site here)",
        )

    def handle(self, *args: Any, path: str, key: str | None, **options: Any) -> None:
        """Verify, a line for each delivery and for each problem."""
        keys = read_public_keys(Path(key)) if key else _own_keys()
        if not Path(path).exists():
            raise WrongUse("There is no such file or folder.")
        found = []
        for one in verify(Path(path), keys):
            found.append(one)
            self.lines(_said(one))
        if not found:
            raise WrongUse("There is no delivery and no image in the folder.")
        whole = sum(one.is_whole for one in found)
        if len(found) > 1:
            self.stdout.write(f"{whole:,} of {len(found):,} are as they were signed.")
        if whole < len(found):
            sys.exit(NEEDS_A_LOOK)


def _said(one: Verified) -> list[str]:
    if one.is_whole:
        return [f"{one.name}: as it was signed by {one.key_id[:16]}…, {counted(one.images, 'image')}"]
    return [f"{one.name}: {problem}" for problem in one.problems]


def _own_keys() -> tuple[PublicKey, ...]:
    """Those of the site whose settings are found here."""
    from django.conf import settings

    site = settings.SITE
    if not is_there(site.secrets_folder, KeyFile.SIGNING):
        raise WrongUse("Give the site's public key with --key: there is no site here.")
    return public_keys(load_known(site.secrets_folder, KeyFile.SIGNING, site.var))
