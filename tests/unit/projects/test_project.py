"""The default project: what the settings make of it, and which store and warehouse they choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sendit.adapters.folder.settings import StoreFolder
from sendit.adapters.gcs.settings import GcsBucket
from sendit.errors import Misconfigured
from sendit.projects.destinations import BigQueryDataset, WarehouseFolder
from sendit.projects.project import DataFolder, default_project
from sendit.projects.site import Site

VAR = Path("/srv/var")
FOLDER = StoreFolder(path=VAR / "store", name="folder", named_by="SENDIT_STORE")
PARQUET = WarehouseFolder(VAR / "warehouse")
OLD = "SENDIT_GOOGLE_CLOUD_STORAGE"


def bucket(name: str, named_by: str) -> GcsBucket:
    return GcsBucket(bucket=name, name=f"gs://{name}", named_by=named_by)


@pytest.mark.parametrize(
    ("settings", "store", "warehouse"),
    [
        ({}, FOLDER, PARQUET),
        ({"google_cloud_storage": "b"}, bucket("b", OLD), BigQueryDataset("", "US", OLD)),
        (
            {"google_cloud_storage": "b", "google_project_name": "p", "google_location": "EU"},
            bucket("b", OLD),
            BigQueryDataset("p", "EU", OLD),
        ),
        ({"store": ("gs://bucket",)}, bucket("bucket", "SENDIT_STORE"), PARQUET),
        ({"warehouse": "bigquery://p"}, FOLDER, BigQueryDataset("p", "US", "SENDIT_WAREHOUSE")),
        (
            {"warehouse": "bigquery://", "google_project_name": "p"},
            FOLDER,
            BigQueryDataset("p", "US", "SENDIT_WAREHOUSE"),
        ),
        ({"google_cloud_storage": "b", "warehouse": "parquet"}, bucket("b", OLD), PARQUET),
        ({"google_cloud_storage": "b", "store": ("folder",)}, FOLDER, BigQueryDataset("", "US", OLD)),
        ({"google_cloud_storage": "b", "store": ("folder",), "warehouse": "parquet"}, FOLDER, PARQUET),
    ],
)
def test_store_and_warehouse_are_two_choices(settings: dict[str, Any], store: object, warehouse: object) -> None:
    project = default_project(Site(var=VAR, **settings))
    assert (project.stores, project.warehouse) == ((store,), warehouse)


@pytest.mark.parametrize(
    ("settings", "folders"),
    [
        ({}, [DataFolder("SENDIT_DATA_BASE", Path("/data"))]),
        ({"data_subfolder": "ct"}, [DataFolder("SENDIT_DATA_SUBFOLDER", Path("/data/ct"))]),
        (
            {"data_subfolder": "ct", "data_input_folders": ("a", "/b")},
            [
                DataFolder("SENDIT_DATA_INPUT_FOLDERS", Path("/data/a")),
                DataFolder("SENDIT_DATA_INPUT_FOLDERS", Path("/b")),
            ],
        ),
    ],
)
def test_data_folders_are_below_the_data_base(settings: dict[str, Any], folders: list[DataFolder]) -> None:
    assert list(default_project(Site(data_base=Path("/data"), **settings)).data_folders) == folders


def test_the_collection_that_is_asked_for_has_no_capitals() -> None:
    assert default_project(Site(som_study="IRB12345")).identity.study == "irb12345"


def names(*urls: str) -> list[str]:
    return [choice.name for choice in default_project(Site(var=VAR, store=urls)).stores]


def test_a_destination_is_named_by_its_url_without_options_accounts_and_secrets() -> None:
    assert names(
        "folder",
        "file:///mnt/of%20all",
        "gs://bucket",
        "s3://bucket/prefix/?region=eu-central-1&sse=aws:kms",
        "s3://bucket/prefix?endpoint=https://minio.example.org:9000",
        "sftp://somebody@host/data/?key_file=/secret/key",
        "sftp://somebody@host:2222/data?password_file=/secret/password",
    ) == [
        "folder",
        "file:///mnt/of all",
        "gs://bucket",
        "s3://bucket/prefix",
        "s3://bucket/prefix@minio.example.org:9000",
        "sftp://host/data",
        "sftp://host:2222/data",
    ]


def test_a_destination_may_have_a_name_of_its_own() -> None:
    assert names("s3://new#main", "s3://moved?region=eu-central-1#s3://old", "folder#at-home") == [
        "main",
        "s3://old",
        "at-home",
    ]


@pytest.mark.parametrize(
    "urls",
    [
        ("s3://one", "s3://one?region=eu-central-1"),
        ("folder", "folder"),
        ("gs://one#x", "gs://two#x"),
        ("gs://one#",),
        ("gs://one#x y",),
        ("gs://",),
        ("gs://Bucket",),
        ("gs://bucket/prefix",),
        ("ftp://host",),
        ("file://host/folder",),
        ("file:///",),
        ("file:folder",),
        ("file:///folder?secret=1",),
        ("/folder",),
    ],
)
def test_a_destination_that_cannot_be_understood_is_refused(urls: tuple[str, ...]) -> None:
    with pytest.raises(Misconfigured, match="BadSetting") as caught:
        names(*urls)
    assert "SENDIT_STORE" in str(caught.value) and "secret" not in str(caught.value)
