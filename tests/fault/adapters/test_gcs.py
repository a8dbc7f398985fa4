"""Cloud Storage that fails in every way it can: one object with the right bytes afterwards, or a word why not."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import google_crc32c
import pytest

from sendit.adapters.gcs import store as gcs
from sendit.adapters.gcs.settings import GcsBucket
from sendit.adapters.gcs.store import GcsStore
from sendit.errors import Misconfigured, ServiceDown, ServiceRefused
from tests.support.google_cloud import FOR_EVER, ONE_WORKER, QUICK, GoogleCloud, ask, sign_in

pytestmark = ONE_WORKER

NAME = "Collection/IRB41449/Entity/12fa/12fa_20100209_12fb.tar.gz"
CHUNK_BYTES = 256 << 10
CONTENT = random.Random(5).randbytes(2 * CHUNK_BYTES + 100_001)
ABOUT = {"content_type": "application/gzip", "images": "7"}
BEGIN, CHUNK = "POST /upload", "PUT /upload"
HASTY = replace(QUICK, answer_seconds=0.5)
IMPATIENT = replace(QUICK, answer_seconds=0.2, retry_seconds=0.3)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of three chunks need not be large."""
    monkeypatch.setattr(gcs, "CHUNK_BYTES", CHUNK_BYTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    path.write_bytes(CONTENT)
    return path


def crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


def is_stored_once(cloud: GoogleCloud, content: bytes = CONTENT) -> bool:
    """By the emulator's own account: one object, written once, of these bytes."""
    (kept,) = cloud.objects().values()
    assert cloud.writes() == {NAME: 1}
    return (kept["name"], kept["size"], kept["crc32c"]) == (NAME, str(len(content)), crc32c(content))


# ---------------------------------------------------------------------------------------------- what it is told


def test_an_archive_is_what_the_contract_says(google_cloud: GoogleCloud, path: Path) -> None:
    stored = google_cloud.store().put(NAME, path, ABOUT)
    kept = google_cloud.objects()[NAME]
    assert is_stored_once(google_cloud)
    assert (kept["contentType"], kept.get("contentEncoding")) == ("application/gzip", None)
    assert kept["metadata"] == {"images": "7"}
    assert stored.uri == f"gs://{google_cloud.bucket}/{NAME}"
    assert stored.generation == kept["generation"]
    assert stored.download_link == kept["mediaLink"].replace(f"generation={stored.generation}&", "")
    assert stored.metadata_link.endswith(kept["selfLink"])


def test_every_upload_is_resumable_under_a_precondition_and_names_no_acl(google_cloud: GoogleCloud, path: Path) -> None:
    google_cloud.store().put(NAME, path, ABOUT)
    begin, *chunks = google_cloud.storage.requests()
    assert "uploadType=resumable" in begin["way"] and "ifGenerationMatch=0" in begin["way"]
    assert json.loads(begin["text"])["crc32c"] == crc32c(CONTENT)
    assert [chunk["bytes"] for chunk in chunks] == [CHUNK_BYTES, CHUNK_BYTES, 100_001]
    assert "acl" not in json.dumps([begin, *chunks]).lower()


def test_a_repeated_put_of_the_same_bytes_sends_none_of_them(google_cloud: GoogleCloud, path: Path) -> None:
    store = google_cloud.store()
    first = store.put(NAME, path, ABOUT)
    google_cloud.storage.reset()
    assert store.put(NAME, path, ABOUT | {"images": "8"}) == first
    assert sum(one["bytes"] for one in google_cloud.storage.requests()) < 1000
    assert is_stored_once(google_cloud)


def test_a_read_is_one_ranged_request(google_cloud: GoogleCloud, path: Path) -> None:
    store = google_cloud.store()
    store.put(NAME, path, ABOUT)
    google_cloud.storage.reset()
    assert store.read(NAME, 300_000, 70_000) == CONTENT[300_000:370_000]
    (read,) = google_cloud.storage.requests()
    assert {name.lower(): value for name, value in read["headers"].items()}["range"] == "bytes=300000-369999"


@pytest.mark.parametrize("size", [CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_an_archive_may_end_where_a_chunk_does(google_cloud: GoogleCloud, path: Path, size: int) -> None:
    path.write_bytes(CONTENT[:size])
    google_cloud.store().put(NAME, path, ABOUT)
    assert is_stored_once(google_cloud, CONTENT[:size])


# ---------------------------------------------------------------------------------------------- it fails and recovers


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_service_that_asks_to_wait_is_asked_again(google_cloud: GoogleCloud, path: Path, status: int) -> None:
    google_cloud.storage.fail(BEGIN, status=status, times=2)
    google_cloud.storage.fail(CHUNK, status=status, times=2)
    google_cloud.store().put(NAME, path, ABOUT)
    assert is_stored_once(google_cloud)


@pytest.mark.parametrize("then", ["cut", "lose"])
def test_the_connection_may_end_in_every_request_before_or_after_it_is_done(
    google_cloud: GoogleCloud, path: Path, then: str
) -> None:
    google_cloud.storage.fail(BEGIN, then)
    for sent in (0, 1, 2):
        google_cloud.storage.fail(CHUNK, then, skip=sent)
    google_cloud.store().put(NAME, path, ABOUT)
    assert is_stored_once(google_cloud)


@pytest.mark.parametrize(("match", "skip"), [(BEGIN, 0), (CHUNK, 2)], ids=["begin", "last chunk"])
def test_silence_has_an_end(google_cloud: GoogleCloud, path: Path, match: str, skip: int) -> None:
    google_cloud.storage.fail(match, "hang", skip=skip, seconds=1.5)
    google_cloud.store(patience=HASTY).put(NAME, path, ABOUT)
    assert is_stored_once(google_cloud)


@pytest.mark.parametrize("then", ["answer", "hang", "lose"])
def test_a_read_is_asked_again_too(google_cloud: GoogleCloud, path: Path, then: str) -> None:
    store = google_cloud.store(patience=HASTY)
    store.put(NAME, path, ABOUT)
    google_cloud.storage.fail("GET /download", then, status=503, seconds=1.5)
    assert store.read(NAME, 300_000, 1000) == CONTENT[300_000:301_000]


def test_patience_ends(google_cloud: GoogleCloud, path: Path) -> None:
    google_cloud.storage.fail("", status=503, times=FOR_EVER)
    began_at = time.monotonic()
    with pytest.raises(ServiceDown, match="StoreDown"):
        google_cloud.store(patience=IMPATIENT).put(NAME, path, ABOUT)
    assert time.monotonic() - began_at < 10
    assert len(google_cloud.storage.requests()) > 1
    assert google_cloud.objects() == {}


def test_an_answer_that_is_lost_for_good_is_found_the_next_time(google_cloud: GoogleCloud, path: Path) -> None:
    google_cloud.storage.fail(CHUNK, "lose", skip=2)
    google_cloud.storage.fail(CHUNK, status=503, skip=2, times=FOR_EVER)
    with pytest.raises(ServiceDown, match="StoreDown"):
        google_cloud.store(patience=IMPATIENT).put(NAME, path, ABOUT)
    kept = google_cloud.objects()[NAME]
    google_cloud.storage.reset()
    assert google_cloud.store().put(NAME, path, ABOUT).generation == kept["generation"]
    assert is_stored_once(google_cloud)


def test_a_service_that_keeps_less_of_a_chunk_than_it_was_sent_is_met_anew(
    google_cloud: GoogleCloud, path: Path
) -> None:
    """Google's library loses its place."""
    google_cloud.storage.fail(CHUNK, status=308, headers={"Range": "bytes=0-1023"})
    with pytest.raises(ServiceDown, match="StoreDown"):
        google_cloud.store().put(NAME, path, ABOUT)
    google_cloud.store().put(NAME, path, ABOUT)
    assert is_stored_once(google_cloud)


def test_a_session_that_is_gone_is_not_a_bucket_that_is_gone(google_cloud: GoogleCloud, path: Path) -> None:
    google_cloud.storage.fail(CHUNK, status=410, skip=1)
    with pytest.raises(ServiceDown, match="StoreDown"):
        google_cloud.store().put(NAME, path, ABOUT)
    google_cloud.storage.fail(CHUNK, status=404, skip=1)
    with pytest.raises(ServiceDown, match="StoreDown"):
        google_cloud.store().put(NAME, path, ABOUT)
    assert google_cloud.objects() == {}


@pytest.mark.parametrize("skip", [0, 2])
def test_bits_that_turn_on_the_way_never_become_an_object(google_cloud: GoogleCloud, path: Path, skip: int) -> None:
    google_cloud.storage.fail(CHUNK, "corrupt", skip=skip)
    with pytest.raises(ServiceDown, match="NotVerified"):
        google_cloud.store().put(NAME, path, ABOUT)
    assert google_cloud.objects() == {}
    google_cloud.store().put(NAME, path, ABOUT)
    assert is_stored_once(google_cloud)


def test_who_was_faster_is_never_overwritten(google_cloud: GoogleCloud, path: Path, tmp_path: Path) -> None:
    """Another's object comes to be while ours is on its way."""
    other = tmp_path / "other"
    other.write_bytes(b"another's")
    chunks = iter([lambda: None, lambda: google_cloud.store().put(NAME, other, ABOUT), lambda: None, lambda: None])
    with pytest.raises(ServiceRefused, match="ObjectConflict"):
        google_cloud.store().put(NAME, path, ABOUT, lambda: next(chunks)() and None)
    assert is_stored_once(google_cloud, b"another's")


# ---------------------------------------------------------------------------------------------- it says no


def refusal(work: Callable[[], object]) -> str:
    """The code with which it is refused; no name and no URL is in the message."""
    with pytest.raises((ServiceRefused, Misconfigured)) as raised:
        work()
    assert "12fa" not in str(raised.value) and "http" not in str(raised.value)
    return str(raised.value.code)


def test_a_bucket_that_is_not_there(google_cloud: GoogleCloud, path: Path) -> None:
    store = google_cloud.store(bucket="no-such-bucket")
    assert refusal(lambda: store.put(NAME, path, ABOUT)) == "NoSuchBucket"
    assert refusal(lambda: store.read(NAME, 0, 1)) == "NoSuchObject"


@pytest.mark.parametrize("bucket", ["", "Bucket", "a", "a/b", "-a-", "gs://bucket"])
def test_a_name_that_no_bucket_has_is_a_bad_setting(bucket: str) -> None:
    assert refusal(lambda: GcsStore(GcsBucket(bucket=bucket))) == "BadSetting"


@pytest.mark.parametrize(("content", "code"), [(CONTENT, ""), (b"other bytes", "ObjectConflict")])
def test_who_may_not_replace_objects_finds_its_own_all_the_same(
    google_cloud: GoogleCloud, path: Path, content: bytes, code: str
) -> None:
    """Whether Google looks at the precondition or at the permission first."""
    first = google_cloud.store().put(NAME, path, ABOUT)
    path.write_bytes(content)
    google_cloud.storage.fail(BEGIN, status=403)
    if code:
        assert refusal(lambda: google_cloud.store().put(NAME, path, ABOUT)) == code
    else:
        assert google_cloud.store().put(NAME, path, ABOUT) == first
    assert is_stored_once(google_cloud)


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (401, "CredentialsRefused"), (400, "RequestRefused")]
)
def test_a_no_is_told_apart(google_cloud: GoogleCloud, path: Path, status: int, code: str) -> None:
    store = google_cloud.store()
    for match in (BEGIN, CHUNK):
        google_cloud.storage.fail(match, status=status, body={"error": {"message": NAME}})
        assert refusal(lambda: store.put(NAME, path, ABOUT)) == code
    assert google_cloud.objects() == {}
    store.put(NAME, path, ABOUT)
    google_cloud.storage.fail("GET /download", status=status, body={"error": {"message": NAME}})
    assert refusal(lambda: store.read(NAME, 0, 1)) == code


# ---------------------------------------------------------------------------------------------- credentials


@pytest.fixture
def signed_in(google_cloud: GoogleCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., GcsStore]:
    """A store with a service account; only its token is let in."""
    sign_in(f"{google_cloud.storage.url}/token", tmp_path, monkeypatch)
    google_cloud.storage.demand("token-1")
    return lambda: google_cloud.store(anonymous=False)


def test_a_service_account_is_let_in(google_cloud: GoogleCloud, signed_in: Callable[..., GcsStore], path: Path) -> None:
    assert refusal(lambda: google_cloud.store().put(NAME, path, ABOUT)) == "CredentialsRefused"
    signed_in().put(NAME, path, ABOUT)
    assert is_stored_once(google_cloud)


def test_a_token_that_expires_in_the_middle_is_renewed(
    google_cloud: GoogleCloud, signed_in: Callable[..., GcsStore], path: Path
) -> None:
    chunks = iter([lambda: None, lambda: google_cloud.storage.demand("token-2"), lambda: None])
    signed_in().put(NAME, path, ABOUT, lambda: next(chunks)())
    assert is_stored_once(google_cloud)


def test_an_account_that_is_revoked_or_expired_says_so(
    google_cloud: GoogleCloud, signed_in: Callable[..., GcsStore], path: Path
) -> None:
    google_cloud.storage.fail("/token", status=400, body={"error": "invalid_grant"}, times=3)
    assert refusal(lambda: signed_in().put(NAME, path, ABOUT)) == "CredentialsRefused"
    ask(f"{google_cloud.storage.url}/front/reset", {})


def test_a_token_server_that_is_down_may_come_back(
    google_cloud: GoogleCloud, signed_in: Callable[..., GcsStore], path: Path
) -> None:
    google_cloud.storage.fail("/token", status=503)
    signed_in().put(NAME, path, ABOUT)
    assert is_stored_once(google_cloud)


# ---------------------------------------------------------------------------------------------- memory

MEMORY = """
import sys
from pathlib import Path
from sendit.adapters.gcs.settings import GcsBucket
from sendit.adapters.gcs.store import GcsStore
store = GcsStore(GcsBucket(bucket=sys.argv[1], endpoint=sys.argv[2], is_anonymous=True))
small, large = map(Path, sys.argv[3:])
peaks = []
for path in (small, large):
    store.put(path.name, path, {})
    peaks.append(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
print(*peaks)
"""


def test_memory_does_not_grow_with_the_archive(google_cloud: GoogleCloud, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(bytes(8 << 20))
    large.write_bytes(bytes(48 << 20))
    words = [google_cloud.bucket, google_cloud.storage.url, str(small), str(large)]
    done = subprocess.run([sys.executable, "-c", MEMORY, *words], capture_output=True, text=True, check=True)
    before, after = (int(word) << 10 for word in done.stdout.split())
    assert after < 200_000_000
    assert after - before < 8 << 20
