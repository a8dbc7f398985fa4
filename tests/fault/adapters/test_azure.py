"""Azure through its failures: wrong credentials, no container, a server or a worker that is killed, racing writers."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sendit.adapters.azure.settings import AzureContainer, parse
from sendit.adapters.azure.store import AzureStore
from sendit.adapters.request_patience import Patience
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.ports import StoredObject
from tests.support.azurite_server import ACCOUNT, CONTAINER, ONE_WORKER, QUICK, Azurite
from tests.support.processes import killed_after
from tests.support.shell import run
from tests.support.site import Site

pytestmark = ONE_WORKER
NAME = "Collection/IRB1/Entity/p/p_20100209_s.tar.gz"
LARGE = random.Random(5).randbytes(20_000_001)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path


def test_a_large_archive_has_its_type_and_metadata(
    azurite: Azurite, azure_container: AzureContainer, azure_store: AzureStore, large: Path
) -> None:
    stored = azure_store.put(NAME, large, {"content_type": "application/gzip", "part": "1"})
    uri = f"az://{ACCOUNT}/{CONTAINER}/{azure_container.prefix}{NAME}"
    assert stored == StoredObject(NAME, uri, len(LARGE), stored.crc32c)
    found = azurite.container().get_blob_client(azure_container.prefix + NAME).get_blob_properties()
    assert (found.content_settings.content_type, found.metadata) == ("application/gzip", {"part": "1"})
    assert azure_store.read(NAME, 9_000_000, 11_000_001) == LARGE[9_000_000:]


def test_a_large_archive_never_takes_anothers_place(azure_store: AzureStore, large: Path) -> None:
    first = azure_store.put(NAME, large, {})
    assert azure_store.put(NAME, large, {}) == first
    large.write_bytes(LARGE[:-1] + b"\0")
    with pytest.raises(ServiceRefused, match="ObjectConflict"):
        azure_store.put(NAME, large, {})
    assert azure_store.read(NAME, 0, len(LARGE)) == LARGE


def test_what_another_tool_uploaded_is_compared_by_reading_it(
    azurite: Azurite, azure_container: AzureContainer, azure_store: AzureStore, large: Path
) -> None:
    azurite.container().upload_blob(azure_container.prefix + NAME, LARGE)
    assert azure_store.put(NAME, large, {}).size_bytes == len(LARGE)
    large.write_bytes(b"\0" + LARGE[1:])
    with pytest.raises(ServiceRefused, match="ObjectConflict"):
        azure_store.put(NAME, large, {})


def test_of_racing_writers_one_wins(azure_store: AzureStore, tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(5)]
    for number, path in enumerate(files):
        path.write_bytes(bytes([number]) + LARGE[1:])

    def race(path: Path) -> str:
        try:
            azure_store.put(NAME, path, {})
        except SenditError as error:
            return error.code
        return "stored"

    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(race, files))
    assert (found.count("stored"), set(found)) == (1, {"stored", "ObjectConflict"})
    winner = files[found.index("stored")]
    assert azure_store.read(NAME, 0, len(LARGE)) == winner.read_bytes()


@pytest.mark.parametrize(
    ("key", "code"),
    [("YW5vdGhlciBrZXk=", "AccessDenied"), ("not base64!", "CredentialsRefused")],
    ids=["of another account", "no key"],
)
def test_wrong_credentials_are_told(
    azure_container: AzureContainer, large: Path, tmp_path: Path, key: str, code: str
) -> None:
    """Azure itself says AuthenticationFailed of a wrong key, where Azurite says AuthorizationFailure."""
    path = tmp_path / "key"
    path.write_text(key)
    wrong = replace(azure_container, key_file=str(path))
    for ask in (
        partial(AzureStore(wrong, QUICK).put, NAME, large, {}),
        partial(AzureStore(wrong, QUICK).read, NAME, 0, 1),
    ):
        with pytest.raises(ServiceRefused, match=code):
            ask()


def test_a_key_file_that_is_not_there_is_told(azure_container: AzureContainer, large: Path) -> None:
    with pytest.raises(Misconfigured, match="NoCredentials"):
        AzureStore(replace(azure_container, key_file="/nowhere/key"), QUICK).put(NAME, large, {})


def test_a_server_that_is_away_may_come_back(azure_container: AzureContainer, large: Path) -> None:
    away = replace(azure_container, endpoint=f"http://127.0.0.1:9/{ACCOUNT}")
    with pytest.raises(ServiceDown, match="StoreDown"):
        AzureStore(away, Patience(connect_seconds=1, answer_seconds=1, attempts=1)).put(NAME, large, {})


def test_a_worker_that_is_killed_leaves_no_object(azure_store: AzureStore, large: Path) -> None:
    killed = 0
    for number in range(4):
        name = f"Collection/killed/{number}.tar.gz"
        killed += killed_after(0.05 * number, partial(azure_store.put, name, large, {}))
        try:
            assert azure_store.read(name, 0, len(LARGE)) == LARGE
        except ServiceRefused as error:
            assert error.code == "NoSuchObject"
        assert azure_store.put(name, large, {}).size_bytes == len(LARGE)
    assert killed


def test_a_study_is_delivered_to_it(site: Site, azurite: Azurite, azure_container: AzureContainer) -> None:
    place = f"az://{ACCOUNT}/{CONTAINER}/{azure_container.prefix.rstrip('/')}"
    site.set(STORE=f"{place}?endpoint={azurite.url}&key_file={azurite.key_file}")
    site.study(1, images=3)
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE", batch.errors
    (row,) = site.projects.default.warehouse.query("SELECT storage_uri, object_name FROM dicom").rows
    assert row[0] == f"{place}/{row[1]}"
    out = site.var / "downloaded"
    assert run("download", "SELECT SeriesInstanceUID FROM series", str(out)).code == 0
    assert len(list(out.rglob("*.dcm"))) == 3


def test_the_check_asks_for_the_container(azure_container: AzureContainer) -> None:
    AzureStore(azure_container, QUICK).ensure_usable()
    with pytest.raises(ServiceRefused, match="NoSuchBucket"):
        AzureStore(replace(azure_container, container="nothing-here"), QUICK).ensure_usable()


@pytest.mark.parametrize(
    ("url", "choice"),
    [
        (
            "az://account1/archives",
            AzureContainer(account="account1", container="archives", name="az://account1/archives", named_by="X"),
        ),
        (
            "az://account1/archives/a/b/?endpoint=https://blobs.example.org/account1&key_file=/run/key",
            AzureContainer(
                account="account1",
                container="archives",
                prefix="a/b/",
                key_file="/run/key",
                endpoint="https://blobs.example.org/account1",
                name="az://account1/archives/a/b@blobs.example.org",
                named_by="X",
            ),
        ),
    ],
)
def test_a_url_says_where(url: str, choice: AzureContainer) -> None:
    assert parse(url, "X") == choice


@pytest.mark.parametrize(
    "url",
    [
        "az://",
        "az://account1",
        "az://Account/archives",
        "az://account1/Archives",
        "az://account1/a--b",
        "az://account1/archives/../x",
        "az://account1/archives?key=secret",
        "az://account1/archives?key_file=key",
        "az://account1/archives?endpoint=ftp://x",
    ],
)
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="BadSetting") as error:
        parse(url, "X")
    assert "secret" not in str(error.value)
