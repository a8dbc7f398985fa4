"""The adapters that each port's suite runs on. A new adapter is one fixture here and its name in one list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sendit.adapters.folder.store import FolderStore
from sendit.adapters.identity_dasher import DasherIdentityService
from sendit.adapters.identity_local import LocalIdentityService
from sendit.adapters.parquet.warehouse import ParquetWarehouse
from sendit.adapters.postgresql.settings import PostgresqlDatabase
from sendit.adapters.postgresql.warehouse import PostgresqlWarehouse
from sendit.ports import IdentityService, ObjectStore, Warehouse
from tests.support import azurite_server, seaweed, sshd
from tests.support.google_cloud import ONE_WORKER, GoogleCloud
from tests.support.identity_server import IdentityServer
from tests.support.servers import Postgres


@pytest.fixture
def local_identity_service() -> IdentityService:
    return LocalIdentityService(b"a key for the contract suite only", 365)


@pytest.fixture(scope="session")
def contract_secrets(identity_server: IdentityServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return identity_server.client("contract", tmp_path_factory.mktemp("client"))


@pytest.fixture
def dasher_identity_service(identity_server: IdentityServer, contract_secrets: Path) -> IdentityService:
    """The client, and the service that sendit serves at the other end."""
    return DasherIdentityService(identity_server.url, contract_secrets, call_seconds=30, retry_seconds=10)


@pytest.fixture
def folder_store(tmp_path: Path) -> ObjectStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def parquet_warehouse(tmp_path: Path) -> Warehouse:
    return ParquetWarehouse(tmp_path / "warehouse", "IRB41449")


@pytest.fixture
def gcs_store(google_cloud: GoogleCloud) -> ObjectStore:
    return google_cloud.store()


@pytest.fixture
def bigquery_warehouse(google_cloud: GoogleCloud) -> Warehouse:
    return google_cloud.warehouse()


@pytest.fixture(
    params=[
        "local_identity_service",
        pytest.param("dasher_identity_service", marks=pytest.mark.xdist_group("identity server")),
    ]
)
def identity_service(request: pytest.FixtureRequest) -> IdentityService:
    service: IdentityService = request.getfixturevalue(request.param)
    return service


@pytest.fixture(
    params=[
        "folder_store",
        pytest.param("gcs_store", marks=ONE_WORKER),
        pytest.param("s3_store", marks=seaweed.ONE_WORKER),
        pytest.param("azure_store", marks=azurite_server.ONE_WORKER),
        pytest.param("sftp_store", marks=sshd.ONE_WORKER),
    ]
)
def object_store(request: pytest.FixtureRequest) -> ObjectStore:
    store: ObjectStore = request.getfixturevalue(request.param)
    return store


@pytest.fixture
def postgresql_warehouse(postgres: Postgres) -> Iterator[Warehouse]:
    with postgres.owned() as url:
        yield PostgresqlWarehouse(PostgresqlDatabase(url, "SENDIT_WAREHOUSE"), "IRB41449")


@pytest.fixture(
    params=[
        "parquet_warehouse",
        pytest.param("bigquery_warehouse", marks=ONE_WORKER),
        pytest.param("postgresql_warehouse", marks=pytest.mark.xdist_group("postgres")),
    ]
)
def warehouse(request: pytest.FixtureRequest) -> Warehouse:
    warehouse: Warehouse = request.getfixturevalue(request.param)
    return warehouse
