"""S3 through its failures: wrong credentials, no bucket, a server that is killed, a worker that is killed."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sendit.adapters.request_patience import Patience
from sendit.adapters.s3.settings import S3Bucket, parse
from sendit.adapters.s3.store import S3Store
from sendit.errors import Misconfigured, SenditError, ServiceDown, ServiceRefused
from sendit.ports import StoredObject
from tests.support.processes import killed_after
from tests.support.seaweed import BUCKET, ONE_WORKER, QUICK, SeaweedFS
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


def unfinished(server: SeaweedFS, place: S3Bucket) -> int:
    found = server.client().list_multipart_uploads(Bucket=place.bucket, Prefix=place.prefix)
    return len(found.get("Uploads", []))


def test_a_large_archive_has_its_type_and_metadata(
    seaweed: SeaweedFS, s3_bucket: S3Bucket, s3_store: S3Store, large: Path
) -> None:
    stored = s3_store.put(NAME, large, {"content_type": "application/gzip", "part": "1"})
    assert stored == StoredObject(NAME, f"s3://{BUCKET}/{s3_bucket.prefix}{NAME}", len(LARGE), stored.crc32c)
    head = seaweed.client().head_object(Bucket=BUCKET, Key=s3_bucket.prefix + NAME)
    assert (head["ContentType"], head["Metadata"]) == ("application/gzip", {"part": "1"})
    assert s3_store.read(NAME, 9_000_000, 11_000_001) == LARGE[9_000_000:]
    assert unfinished(seaweed, s3_bucket) == 0


@pytest.fixture(scope="module")
def locked(seaweed: SeaweedFS) -> str:
    """A bucket with versions and object lock."""
    seaweed.client().create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    return "locked"


def versions(server: SeaweedFS, place: S3Bucket) -> int:
    found = server.client().list_object_versions(Bucket=place.bucket, Prefix=place.prefix)
    return len(found.get("Versions", [])) + len(found.get("DeleteMarkers", []))


def test_no_version_of_what_is_removed_is_left(
    seaweed: SeaweedFS, s3_bucket: S3Bucket, locked: str, tmp_path: Path
) -> None:
    place = replace(s3_bucket, bucket=locked)
    store, path = S3Store(place, QUICK), tmp_path / "a"
    path.write_bytes(b"archive")
    store.put(NAME, path, {})
    store.put(f"{NAME}.sha256", path, {})
    seaweed.client().delete_object(Bucket=locked, Key=place.prefix + NAME)  # as earlier versions of sendit did
    for _ in range(2):
        store.remove(NAME)
    assert versions(seaweed, place) == 1, "only the object with the longer name"


def test_what_object_lock_keeps_is_said_and_removed_when_it_ends(
    seaweed: SeaweedFS, s3_bucket: S3Bucket, locked: str, tmp_path: Path
) -> None:
    place = replace(s3_bucket, bucket=locked)
    store, path = S3Store(place, QUICK), tmp_path / "a"
    path.write_bytes(b"archive")
    store.put(NAME, path, {})
    where = {"Bucket": locked, "Key": place.prefix + NAME}
    client = seaweed.client()
    (kept,) = client.list_object_versions(Bucket=locked, Prefix=place.prefix)["Versions"]
    where |= {"VersionId": kept["VersionId"]}
    client.put_object_legal_hold(**where, LegalHold={"Status": "ON"})
    for _ in range(2):
        with pytest.raises(ServiceRefused, match="Retained"):
            store.remove(NAME)
    client.put_object_legal_hold(**where, LegalHold={"Status": "OFF"})
    store.remove(NAME)
    assert versions(seaweed, place) == 0


def test_a_large_archive_never_takes_anothers_place(
    seaweed: SeaweedFS, s3_bucket: S3Bucket, s3_store: S3Store, large: Path
) -> None:
    first = s3_store.put(NAME, large, {})
    assert s3_store.put(NAME, large, {}) == first
    large.write_bytes(LARGE[:-1] + b"\0")
    with pytest.raises(ServiceRefused, match="ObjectConflict"):
        s3_store.put(NAME, large, {})
    assert s3_store.read(NAME, 0, len(LARGE)) == LARGE
    assert unfinished(seaweed, s3_bucket) == 0


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "another"}, "CredentialsRefused"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "CredentialsRefused"),
    ],
)
def test_wrong_credentials_are_told(
    s3_bucket: S3Bucket, large: Path, monkeypatch: pytest.MonkeyPatch, harm: dict[str, str], code: str
) -> None:
    for name, value in harm.items():
        monkeypatch.setenv(name, value)
    for ask in (
        partial(S3Store(s3_bucket, QUICK).put, NAME, large, {}),
        partial(S3Store(s3_bucket, QUICK).read, NAME, 0, 1),
    ):
        with pytest.raises(ServiceRefused, match=code):
            ask()


def test_no_credentials_are_told(s3_bucket: S3Bucket, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(Misconfigured, match="NoCredentials"):
        S3Store(s3_bucket, QUICK).put(NAME, large, {})


def test_a_server_that_is_away_may_come_back(s3_bucket: S3Bucket, large: Path) -> None:
    away = replace(s3_bucket, endpoint="http://127.0.0.1:9")
    with pytest.raises(ServiceDown, match="StoreDown"):
        S3Store(away, Patience(connect_seconds=1, answer_seconds=1, attempts=1)).put(NAME, large, {})


def test_a_worker_that_is_killed_leaves_no_object(s3_bucket: S3Bucket, s3_store: S3Store, large: Path) -> None:
    killed = 0
    for number in range(4):
        name = f"Collection/killed/{number}.tar.gz"
        killed += killed_after(0.05 * number, partial(s3_store.put, name, large, {}))
        try:
            assert s3_store.read(name, 0, len(LARGE)) == LARGE
        except ServiceRefused as error:
            assert error.code == "NoSuchObject"
        assert s3_store.put(name, large, {}).size_bytes == len(LARGE)
    assert killed


def test_a_study_is_delivered_to_it(site: Site, seaweed: SeaweedFS, s3_bucket: S3Bucket) -> None:
    url = f"s3://{BUCKET}/{s3_bucket.prefix}?endpoint={seaweed.url}&path_style=true&region=us-east-1"
    site.set(STORE=url)
    site.study(1, images=3)
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE", batch.errors
    (row,) = site.projects.default.warehouse.query("SELECT storage_uri, object_name FROM dicom").rows
    assert row[0] == f"s3://{BUCKET}/{s3_bucket.prefix}{row[1]}"
    assert len(seaweed.client().list_objects_v2(Bucket=BUCKET, Prefix=s3_bucket.prefix)["Contents"]) >= 1
    out = site.var / "downloaded"
    assert run("download", "SELECT SeriesInstanceUID FROM series", str(out)).code == 0
    assert len(list(out.rglob("*.dcm"))) == 3


def test_the_check_asks_for_the_bucket(s3_bucket: S3Bucket) -> None:
    S3Store(s3_bucket, QUICK).ensure_usable()
    with pytest.raises(SenditError):
        S3Store(replace(s3_bucket, bucket="nothing-here"), QUICK).ensure_usable()


@pytest.mark.parametrize(
    ("url", "choice"),
    [
        ("s3://my-bucket", S3Bucket(bucket="my-bucket", name="s3://my-bucket", named_by="X")),
        ("s3://my.bucket/a/b/", S3Bucket(bucket="my.bucket", prefix="a/b/", name="s3://my.bucket/a/b", named_by="X")),
        (
            "s3://bkt?region=eu-central-1&sse=aws:kms&kms_key=abc",
            S3Bucket(bucket="bkt", region="eu-central-1", sse="aws:kms", kms_key="abc", name="s3://bkt", named_by="X"),
        ),
        (
            "s3://bkt/p?endpoint=https://s3.example.org&path_style=true",
            S3Bucket(
                bucket="bkt",
                prefix="p/",
                endpoint="https://s3.example.org",
                path_style=True,
                name="s3://bkt/p@s3.example.org",
                named_by="X",
            ),
        ),
    ],
)
def test_a_url_says_where(url: str, choice: S3Bucket) -> None:
    assert parse(url, "X") == choice


@pytest.mark.parametrize(
    "url",
    [
        "s3://", "s3://A", "s3://bkt/../x", "s3://bkt/.x", "s3://bkt?regoin=x", "s3://bkt?path_style=yes",
        "s3://bkt?sse=none", "s3://bkt?endpoint=ftp://x", "s3://user:secret@bkt", "gs://bkt",
    ],
)  # fmt: skip
def test_a_url_that_makes_no_sense_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(Misconfigured, match="BadSetting") as caught:
        parse(url, "SENDIT_STORE")
    assert "SENDIT_STORE" in str(caught.value) and "secret" not in str(caught.value)
