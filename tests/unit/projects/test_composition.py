"""Ports: each made of its project's settings when it is first asked for, once, and nothing else with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sendit import keys
from sendit.adapters.gcs.store import GcsStore
from sendit.adapters.parquet.warehouse import ParquetWarehouse
from sendit.errors import Misconfigured
from sendit.projects.composition import Projects, pseudonym_key
from sendit.projects.site import Site

EMULATORS = {"storage_emulator_host": "http://127.0.0.1:1", "bigquery_emulator_host": "http://127.0.0.1:2"}


def test_a_port_is_made_once(tmp_path: Path) -> None:
    keys.make(tmp_path / "secrets")
    ports = Projects(Site(var=tmp_path)).default
    for name in ("identity_service", "object_store", "warehouse", "pseudonyms", "recipe"):
        assert getattr(ports, name) is getattr(ports, name), name


def test_a_recipe_that_cannot_be_read_harms_no_other_port(tmp_path: Path) -> None:
    ports = Projects(Site(var=tmp_path, study_deid="no such recipe")).default
    assert ports.warehouse.query("SELECT count(*) FROM dicom").rows == [(0,)]
    with pytest.raises(Misconfigured, match="UnknownRecipe"):
        ports.recipe  # noqa: B018 - made by being asked for


def test_the_regions_of_the_sites_own_devices_are_read_before_the_recipe(tmp_path: Path) -> None:
    script = tmp_path / "own.script"
    script.write_text('{ Modality.equals("US") } (0,0,640,40)')
    recipe = Projects(Site(var=tmp_path, pixel_regions=str(script))).default.recipe
    (rules,) = [rules for rules in recipe.filters if rules.is_graylist]
    assert rules.labels[0].text == "signature in line 1" and len(rules.labels) > 150


def test_a_recipe_that_calls_functions_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "own.recipe"
    recipe.write_text("FORMAT dicom\n%header\nREPLACE PatientID func:hash_name\n")
    with pytest.raises(Misconfigured, match="UnknownFunction"):
        Projects(Site(var=tmp_path, study_deid=str(recipe))).default.recipe  # noqa: B018


def test_a_bucket_with_parquet_files_needs_one_emulator_alone(tmp_path: Path) -> None:
    hosts = {"storage_emulator_host": EMULATORS["storage_emulator_host"]}
    ports = Projects(Site(var=tmp_path, store=("gs://bucket",), **hosts)).default
    assert isinstance(ports.object_store, GcsStore) and ports.object_store._choice.is_anonymous
    assert isinstance(ports.warehouse, ParquetWarehouse)


@pytest.mark.parametrize(
    ("settings", "is_anonymous"),
    [
        (EMULATORS, True),
        ({"storage_emulator_host": EMULATORS["storage_emulator_host"]}, False),
        ({}, False),
        (EMULATORS | {"google_application_credentials": "/key.json"}, False),
    ],
)
def test_credentials_are_left_out_only_where_everything_is_an_emulator(
    tmp_path: Path, settings: dict[str, str], is_anonymous: bool
) -> None:
    store = Projects(Site(var=tmp_path, google_cloud_storage="bucket", **settings)).default.object_store
    assert isinstance(store, GcsStore) and store._choice.is_anonymous is is_anonymous


def test_the_key_is_the_sites(tmp_path: Path) -> None:
    one, other = Site(var=tmp_path / "a"), Site(var=tmp_path / "b")
    for site in (one, other):
        keys.make(site.secrets_folder)
    assert pseudonym_key(one) == pseudonym_key(one) != pseudonym_key(other)
    assert Projects(one).default.pseudonyms.uid("1.2.3") == Projects(one).default.pseudonyms.uid("1.2.3")
    assert Projects(one).default.pseudonyms.uid("1.2.3") != Projects(other).default.pseudonyms.uid("1.2.3")


def test_a_site_has_no_project_that_nobody_configured(tmp_path: Path) -> None:
    projects = Projects(Site(var=tmp_path))
    assert projects.of("default") is projects.default
    with pytest.raises(Misconfigured, match=r"UnknownProject \(another\)"):
        projects.of("another")


def loaded_by(tmp_path: Path, port: str) -> set[str]:
    """The modules that a process has loaded once it has asked for a port."""
    program = (
        "import json, os, sys\n"
        "from sendit.projects.composition import Projects\n"
        "from sendit.projects.site import Site\n"
        f"Projects(Site.from_environment(os.environ)).default.{port}\n"
        "print(json.dumps(list(sys.modules)))"
    )
    environment = {**os.environ, "SENDIT_VAR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_who_asks_for_rows_loads_no_store_and_no_core(tmp_path: Path) -> None:
    modules = loaded_by(tmp_path, "warehouse")
    assert "sendit.adapters.parquet.warehouse" in modules
    assert not {name for name in modules if name.endswith(".store") or name.startswith(("sendit.deid", "django"))}


def test_who_asks_for_the_store_loads_no_warehouse(tmp_path: Path) -> None:
    modules = loaded_by(tmp_path, "object_store")
    assert "sendit.adapters.folder.store" in modules
    assert not {name for name in modules if name.endswith(".warehouse") or name.startswith(("duckdb", "pyarrow"))}
