"""kill -9 in the middle of a put, at random moments, on each store: an object is whole or not there, and made once."""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sendit.adapters.folder.store import FolderStore
from sendit.errors import ServiceRefused
from sendit.ports import ObjectStore
from tests.support import azurite_server, seaweed, sshd
from tests.support.google_cloud import ONE_WORKER, GoogleCloud
from tests.support.processes import killed_after, seconds_of

SIZE = 9_000_001
"""More than one part of an upload in parts."""


@pytest.fixture
def folder_store(tmp_path: Path) -> ObjectStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def gcs_store(google_cloud: GoogleCloud) -> ObjectStore:
    return google_cloud.store()


@pytest.fixture(
    params=[
        "folder_store",
        pytest.param("gcs_store", marks=ONE_WORKER),
        pytest.param("s3_store", marks=seaweed.ONE_WORKER),
        pytest.param("azure_store", marks=azurite_server.ONE_WORKER),
        pytest.param("sftp_store", marks=sshd.ONE_WORKER),
    ]
)
def store(request: pytest.FixtureRequest) -> ObjectStore:
    found: ObjectStore = request.getfixturevalue(request.param)
    return found


def content_of(store: ObjectStore, name: str) -> bytes | None:
    try:
        return store.read(name, 0, SIZE)
    except ServiceRefused as refusal:
        assert refusal.code == "NoSuchObject"
        return None


MORE_TRIES = 40
"""Where each put had ended before its kill."""


def test_an_object_is_whole_or_not_there_and_nothing_is_overwritten(
    store: ObjectStore, tmp_path: Path, destination_kills: int, record_property: Any
) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    (path := tmp_path / "archive").write_bytes(content := chance.randbytes(SIZE))
    (other := tmp_path / "other").write_bytes(chance.randbytes(SIZE))
    path.chmod(0o640)  # which no store takes by a hard link
    usual_seconds = seconds_of(partial(store.put, "Collection/usual.tar.gz", path, {}))
    killed = 0
    for number in range(destination_kills + MORE_TRIES):
        if number >= destination_kills and killed:
            break
        name = f"Collection/{number}.tar.gz"
        killed += killed_after(chance.uniform(0, 1.2 * usual_seconds), partial(store.put, name, path, {}))
        assert content_of(store, name) in (None, content), seed
        stored = store.put(name, path, {})
        assert stored.size_bytes == SIZE and content_of(store, name) == content, seed
        with pytest.raises(ServiceRefused, match="ObjectConflict"):
            store.put(name, other, {})
        assert content_of(store, name) == content, seed
    record_property("killed", killed)
    assert killed
