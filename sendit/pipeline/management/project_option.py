"""The option by which a command is told one project; it knows no database."""

from __future__ import annotations

from argparse import ArgumentParser

from sendit.projects.project import DEFAULT


def add_project(parser: ArgumentParser, about: str) -> None:
    """Declare it."""
    parser.add_argument("--project", default=DEFAULT, metavar="NAME", help=f"{about} (default: {DEFAULT})")
