"""`init`: makes the folder VAR, its keys and a settings file."""

from __future__ import annotations

import os
import secrets
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sendit import keys
from sendit.durable import write_new
from sendit.errors import Misconfigured
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.commands import WrongUse
from sendit.ground.terminal import table
from sendit.pipeline.management.unit_files import USER, unit_files
from sendit.projects import settings_file, settings_template
from sendit.projects.settings_file import Found
from sendit.projects.site import CONFIG, Site


class Command(ShellCommand):
    """Make VAR, keys and a settings file. What is there already stays as it is."""

    help = (
        "Make the folder VAR, in which sendit keeps its database and everything else, the site's keys, and a settings "
        "file, sendit.toml, in which every setting is explained. What is there already stays as it is."
    )
    requires_system_checks = []
    needs_keys = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "folder",
            metavar="DIR",
            nargs="?",
            help="VAR, which also gets the settings file (default: the setting VAR, or else `var` in the current "
            "folder, beside the settings file)",
        )

        parser.add_argument(
            "--systemd", action="store_true", help="also write unit files for systemd, into VAR/systemd"
        )

    def handle(self, *args: Any, folder: str | None, systemd: bool, **options: Any) -> None:
        """Make what is missing."""
        environ, here = dict(os.environ), Path.cwd()
        var = here / folder if folder else None
        found = _settings_file(environ, here, var)
        assert found.file
        is_new = not found.file.exists()
        try:
            if is_new:
                _write(found.file, var or here / environ.get("SENDIT_VAR", found.file.parent / "var"))
            if var:  # it is what the operator means, whatever the environment says
                environ.pop("SENDIT_VAR", None)
            site = settings_file.load(environ, found)
            if var and site.var.resolve() != var.resolve():
                raise WrongUse(f"{found.file} names another VAR than DIR. Leave DIR out, or correct the file.")
            _make(site)
            units = _write_units(site, found.file) if systemd else []
        except OSError as error:
            raise Misconfigured("FolderRefused", subject=str(error.filename or found.file)) from None
        self.lines(_summary(site, found.file, is_new))
        self.lines(_install(site, units) if units else _next(site, dict(os.environ), here))


def _settings_file(environ: dict[str, str], here: Path, var: Path | None) -> Found:
    """The settings file that there is, or the one to make."""
    if not environ.get(CONFIG):
        if var:
            return Found(var / settings_file.NAME, ())
        found = settings_file.find(environ, here)
        if not found.file:
            return Found(here / environ.get("SENDIT_VAR", "") / settings_file.NAME, ())
        return found
    return settings_file.find(environ, here)


def _write(file: Path, var: Path) -> None:
    """Write a new settings file that names VAR, and a data folder beside the file, or in VAR if that is elsewhere."""
    file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    is_below = var.is_relative_to(file.parent)
    named, data = (os.path.relpath(var, file.parent), "data") if is_below else (str(var), str(var / "data"))
    write_new(file, settings_template.text({"VAR": named, "DATA_BASE": data}).encode())


def _make(site: Site) -> None:
    site.var.mkdir(mode=0o750, parents=True, exist_ok=True)
    keys.make_for_new_site(site.secrets_folder, site.var)
    keys.secret(site.secrets_folder / "django.key", lambda: secrets.token_hex(32).encode())


def _write_units(site: Site, file: Path) -> list[str]:
    """Write the unit files, over those of an earlier call; returns their names."""
    folder = site.var / "systemd"
    folder.mkdir(mode=0o750, exist_ok=True)
    texts = dict(unit_files(site, file.absolute(), Path(sys.executable).parent))
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(texts)


def _install(site: Site, units: list[str]) -> Iterator[str]:
    """What root has to do with the unit files."""
    yield f"Unit files: {', '.join(units)}. As root:"
    yield f"  useradd --system --home-dir {site.var} --shell /usr/sbin/nologin {USER}"
    yield f"  chown -R {USER}: {site.var}"
    yield f"  cp {site.var / 'systemd'}/*.service /etc/systemd/system/ && systemctl daemon-reload"
    yield "  systemctl enable --now sendit-watcher sendit-web"


def _summary(site: Site, file: Path, is_new: bool) -> Iterator[str]:
    print_of_keys = keys.fingerprint(site.secrets_folder)
    yield from table(
        [
            ("VAR", str(site.var)),
            ("keys", f"{site.secrets_folder}, fingerprint {print_of_keys}"),
            ("settings", f"{file}{'' if is_new else ', as it was'}"),
            ("data", f"{site.data_base}{'' if site.data_base.exists() else ', which does not exist yet'}"),
        ]
    )
    yield ""
    yield "Keep a copy of the keys in another place: nobody can continue a collection without them."


def _next(site: Site, environ: dict[str, str], here: Path) -> Iterator[str]:
    """What to do with it."""
    found = settings_file.find(environ, here)
    finds_it = found.file and settings_file.load(environ, found).var == site.var
    if not finds_it:
        yield f"Tell the other commands which VAR this is: export SENDIT_VAR={site.var}"
    yield "Next: `sendit sort SRC` makes study folders of a CD, an archive or a folder of files."
    yield "`sendit start_queue --number 1` takes the first of them."
