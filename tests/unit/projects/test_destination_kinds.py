"""Every kind of destination has the same files, and a place on the page."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from sendit.ports import Destination, ObjectStore
from sendit.projects.composition import object_store
from sendit.projects.destinations import FORMS, PARSERS, Pacs, parse_store
from sendit.projects.project import default_project
from sendit.projects.site import Site

ROOT = Path(__file__).parents[3]
URLS = {
    "file": "file:///mnt/archives",
    "gs": "gs://bucket",
    "s3": "s3://bucket",
    "az": "az://account/container",
    "sftp": "sftp://u@host/folder?key_file=/k",
    "dicom": "dicom://AET@host:104",
    "dicomweb+https": "dicomweb+https://host/dicom-web",
    "dicomweb+http": "dicomweb+http://host/dicom-web",
}


def test_every_kind_is_tried_here() -> None:
    assert URLS.keys() == PARSERS.keys()


@pytest.mark.parametrize("scheme", PARSERS)
def test_every_kind_has_the_same_files(scheme: str) -> None:
    folder = Path(inspect.getfile(PARSERS[scheme])).parent
    assert {path.name for path in folder.glob("*.py")} >= {"__init__.py", "settings.py", "store.py", "checks.py"}
    settings, checks = (import_module(f"sendit.adapters.{folder.name}.{name}") for name in ("settings", "checks"))
    assert settings.FORM in FORMS and settings.SCHEME in PARSERS
    assert callable(checks.ensure_installed) and callable(checks.ensure_usable)


@pytest.mark.parametrize("scheme", PARSERS)
def test_every_kind_stands_on_the_page(scheme: str) -> None:
    assert f"`{scheme.replace('dicomweb+http', 'dicomweb+https').replace('httpss', 'https')}://" in (
        ROOT / "docs" / "destinations.md"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", PARSERS)
def test_every_kind_has_a_name_and_says_what_it_can(scheme: str, tmp_path: Path) -> None:
    site = Site(var=tmp_path)
    choice = parse_store(URLS[scheme], "SENDIT_STORE", site)
    assert choice.name.startswith(f"{scheme}://") and choice.named_by == "SENDIT_STORE" and "/k" not in choice.name
    assert parse_store(URLS[scheme] + "#other", "SENDIT_STORE", site).name == "other"
    made: Destination = object_store(site, default_project(site), choice)
    assert isinstance(made, ObjectStore) is not isinstance(choice, Pacs)
