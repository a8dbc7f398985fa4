"""`export`: what was delivered, in the forms of other catalogues."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from sendit.durable import disk, draft_of
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.commands import ensure_keys
from sendit.ground.terminal import counted
from sendit.pipeline.files.exports import fhir, index, omop
from sendit.pipeline.management.project_option import add_project
from sendit.projects.composition import Ports, Projects
from sendit.projects.project import is_missing

FORMS = ("fhir", "index", "omop")


class Command(ShellCommand):
    """Write what was delivered as OMOP image_occurrence, FHIR ImagingStudy or an index of series."""

    help = (
        "Write what was delivered, from the warehouse's rows, as OMOP MI-CDM image_occurrence (CSV), FHIR R4 "
        "ImagingStudy (NDJSON) or an index of series (CSV). Pseudonyms are its only keys."
    )
    requires_system_checks = []
    needs_keys = False  # where the warehouse is elsewhere

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument("form", choices=FORMS, help="omop, fhir or index")
        parser.add_argument("out", metavar="FILE", type=Path, help="the file; it is replaced when the new one is whole")
        parser.add_argument("--system", default="", metavar="URI", help="fhir: the identifier system of the pseudonyms")
        add_project(parser, "whose deliveries")

    def handle(self, *args: Any, project: str, form: str, out: Path, system: str, **options: Any) -> None:
        """Write the file, and say how many rows or resources it has."""
        ports = Projects(settings.SITE).of(project)
        if is_missing(ports.project.warehouse):
            ensure_keys()
        draft = draft_of(out)
        with disk("export"):
            try:
                with draft.open("w", encoding="utf-8", newline="") as stream:
                    count = _write(ports, form, system, stream)
                os.replace(draft, out)
            finally:
                draft.unlink(missing_ok=True)
        self.stdout.write(f"{counted(count, *_words(form))} in {out}.")


def _write(ports: Ports, form: str, system: str, stream: Any) -> int:
    if form == "omop":
        return omop.write(ports.warehouse, stream)
    if form == "index":
        return index.write(ports.warehouse, ports.project.collection, stream)
    return fhir.write(ports.warehouse, system or f"urn:sendit:{ports.project.collection}", stream)


def _words(form: str) -> tuple[str, str]:
    return ("study", "studies") if form == "fhir" else ("series", "series")
