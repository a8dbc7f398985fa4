"""`query`: asks the warehouse in SQL."""

from __future__ import annotations

import csv
import io
import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings

from sendit.ground.commands import Command as ShellCommand
from sendit.ground.commands import WrongUse, ensure_keys
from sendit.ground.terminal import counted, table
from sendit.pipeline.management.project_option import add_project
from sendit.ports import QueryResult
from sendit.projects.composition import Projects
from sendit.projects.project import is_missing


class Command(ShellCommand):
    """Ask the tables `dicom` (one row a study) and `instance` (one row an image) in SQL, read-only."""

    help = "Query the tables dicom (one row per study) and instance (one row per image) in SQL, read-only."
    requires_system_checks = []
    needs_keys = False  # where the warehouse is elsewhere

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare them."""
        parser.add_argument(
            "sql",
            metavar="SQL",
            help='one statement, such as "SELECT Modality, image_count FROM dicom"; - reads it from stdin',
        )
        parser.add_argument(
            "--format", choices=sorted(FORMATS), default="table", help="how to print rows (default: table)"
        )
        add_project(parser, "whose warehouse is asked")

    def handle(self, *args: Any, project: str, sql: str, format: str, **options: Any) -> None:
        """Print the rows."""
        statement = sys.stdin.read() if sql == "-" else sql
        if not statement.strip():
            raise WrongUse("There is no SQL.")
        ports = Projects(settings.SITE).of(project)
        if is_missing(ports.project.warehouse):
            ensure_keys()
        text = FORMATS[format](ports.warehouse.query(statement))
        if format == "csv" and not self.stream.isatty():  # a program reads it, and CSV has no escapes
            self.stream.write(text)
        else:
            self.stdout.write(text)


def as_table(result: QueryResult) -> str:
    """For a person: columns, a rule, rows, and how many."""
    header, *rows = table(result.rows, header=result.columns)
    return "\n".join([header, "-" * len(header), *rows, f"({counted(len(rows), 'row')})"])


def as_csv(result: QueryResult) -> str:
    """RFC 4180 but for the line ends, with a header; NULL is empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([result.columns, *result.rows])
    return text.getvalue()


def as_json(result: QueryResult) -> str:
    """A list of objects, one a line; dates and times as ISO 8601 text."""
    objects = (dict(zip(result.columns, row, strict=True)) for row in result.rows)
    lines = (json.dumps(one, default=str, ensure_ascii=False) for one in objects)
    return "[" + ",\n ".join(lines) + "]"


FORMATS: dict[str, Callable[[QueryResult], str]] = {"table": as_table, "csv": as_csv, "json": as_json}
