"""`risk`: how far what was delivered singles patients out, and what another recipe would change."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from sendit.deid.recipe.recipe import load_recipe
from sendit.ground.commands import Command as ShellCommand
from sendit.ground.commands import WrongUse, ensure_keys
from sendit.ground.terminal import counted, table
from sendit.papers.risk import Risk
from sendit.pipeline.management.project_option import add_project
from sendit.pipeline.reports.risk import QUASI_IDENTIFIERS, delivered, risk_of, risk_under
from sendit.projects.composition import Projects
from sendit.projects.project import is_missing

K, SHOWN = 5, 10
Named = tuple[str, Risk]


class Command(ShellCommand):
    """Count patients who are alike in sex, age, modality, body part, year and device."""

    help = (
        "Of the delivered rows, count the patients who are alike in sex, age, modality, body part, shifted date's year "
        "and device: k, the smallest cells, who is unique or below k; and the same under a proposed recipe."
    )
    requires_system_checks = []
    needs_keys = False  # where the warehouse is elsewhere

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        add_project(parser, "whose deliveries are counted")
        parser.add_argument("--recipe", metavar="RECIPE", help="also count the same as by this recipe")
        parser.add_argument("--k", metavar="K", type=int, default=K, help=f"cells below it are small (default: {K})")
        parser.add_argument(
            "--cells", metavar="N", type=int, default=SHOWN, help=f"how many cells to list (default: {SHOWN})"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, project: str, recipe: str | None, **options: Any) -> None:
        """Count and print."""
        if options["k"] < 1 or options["cells"] < 0:
            raise WrongUse("K is 1 or more, and N is 0 or more.")
        ports = Projects(settings.SITE).of(project)
        proposed = load_recipe(recipe) if recipe else None
        if is_missing(ports.project.warehouse):
            ensure_keys()
        rows = delivered(ports.warehouse)
        found: list[Named] = [("delivered", risk_of(rows))]
        if proposed is not None:
            found.append((f"with {proposed.name}", risk_under(proposed, rows)))
        if options["json"]:
            self.stdout.write(json.dumps(_record(project, found, options["k"], options["cells"])))
        else:
            self.lines(_text(project, found, options["k"], options["cells"]))


def _text(project: str, found: list[Named], k: int, cells: int) -> Iterator[str]:
    yield f"Project {project}: {counted(found[0][1].patients, 'patient')}."
    yield from table([(name, *(row(risk) for _, risk in found)) for name, row in _rows(k)], header=_header(found))
    for place, name in enumerate(QUASI_IDENTIFIERS):
        smaller = [risk.without(place) for _, risk in found]
        yield f"without {name}: " + "; ".join(f"k {one.k}, unique {one.unique:,}" for one in smaller)
    for name, risk in found:
        if cells and risk.cells:
            yield ""
            yield f"Smallest cells, {name}:"
            listed = [(cell.patients, *cell.values) for cell in risk.cells[:cells]]
            yield from table(listed, header=("patients", *QUASI_IDENTIFIERS))


def _header(found: list[Named]) -> tuple[str, ...]:
    return ("", *(name for name, _ in found))


def _rows(k: int) -> list[tuple[str, Any]]:
    return [
        ("patients", lambda risk: f"{risk.patients:,}"),
        ("cells", lambda risk: f"{len(risk.cells):,}"),
        ("k", lambda risk: f"{risk.k:,}"),
        ("unique patients", lambda risk: f"{risk.unique:,}"),
        (f"patients below {k}", lambda risk: f"{risk.patients_below(k):,}"),
    ]


def _record(project: str, found: list[Named], k: int, cells: int) -> dict[str, Any]:
    return {"project": project, "quasi_identifiers": QUASI_IDENTIFIERS, "threshold": k} | {
        name: {
            "patients": risk.patients,
            "cells": len(risk.cells),
            "k": risk.k,
            "unique": risk.unique,
            "below": risk.patients_below(k),
            "smallest": [{"patients": cell.patients, "values": cell.values} for cell in risk.cells[:cells]],
        }
        for name, risk in zip(("delivered", "proposed"), (risk for _, risk in found), strict=False)
    }
