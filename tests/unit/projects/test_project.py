"""The default project: what the settings make of it, and which store and warehouse they choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sendit.projects.project import BigQueryDataset, Bucket, DataFolder, StoreFolder, WarehouseFolder, default_project
from sendit.projects.site import Site

VAR = Path("/srv/var")
FOLDER, PARQUET = StoreFolder(VAR / "store"), WarehouseFolder(VAR / "warehouse")
OLD = "SENDIT_GOOGLE_CLOUD_STORAGE"


@pytest.mark.parametrize(
    ("settings", "store", "warehouse"),
    [
        ({}, FOLDER, PARQUET),
        ({"google_cloud_storage": "b"}, Bucket("b", OLD), BigQueryDataset("", "US", OLD)),
        (
            {"google_cloud_storage": "b", "google_project_name": "p", "google_location": "EU"},
            Bucket("b", OLD),
            BigQueryDataset("p", "EU", OLD),
        ),
        ({"store": "gs://bucket"}, Bucket("bucket", "SENDIT_STORE"), PARQUET),
        ({"warehouse": "bigquery://p"}, FOLDER, BigQueryDataset("p", "US", "SENDIT_WAREHOUSE")),
        (
            {"warehouse": "bigquery://", "google_project_name": "p"},
            FOLDER,
            BigQueryDataset("p", "US", "SENDIT_WAREHOUSE"),
        ),
        ({"google_cloud_storage": "b", "warehouse": "parquet"}, Bucket("b", OLD), PARQUET),
        ({"google_cloud_storage": "b", "store": "folder"}, FOLDER, BigQueryDataset("", "US", OLD)),
        ({"google_cloud_storage": "b", "store": "folder", "warehouse": "parquet"}, FOLDER, PARQUET),
    ],
)
def test_store_and_warehouse_are_two_choices(settings: dict[str, Any], store: object, warehouse: object) -> None:
    project = default_project(Site(var=VAR, **settings))
    assert (project.store, project.warehouse) == (store, warehouse)


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
