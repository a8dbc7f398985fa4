"""The folder store: what is on the disk, and what was left on it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sendit.adapters.folder.store import FolderStore
from sendit.errors import ServiceDown, ServiceRefused

NAME = "Collection/IRB1/Entity/a/a_20100209_b.tar.gz"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def private_file(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    path.write_bytes(b"archive")
    path.chmod(0o600)
    return path


@pytest.fixture
def open_file(private_file: Path) -> Path:
    """Others may read it, so it is copied and not linked."""
    private_file.chmod(0o644)
    return private_file


def objects(root: Path) -> list[str]:
    """What a person who looks into the folder sees."""
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("[!.]*") if path.is_file() and "/." not in str(path)
    )


def test_an_object_is_a_file_of_its_name(root: Path, open_file: Path) -> None:
    stored = FolderStore(root).put(NAME, open_file, {})
    assert (root / NAME).read_bytes() == b"archive"
    assert stored.uri == stored.download_link == (root / NAME).as_uri()
    assert objects(root) == [NAME]


def test_what_was_said_of_it_is_beside_the_objects(root: Path, open_file: Path) -> None:
    stored = FolderStore(root).put(NAME, open_file, {"batch": "7"})
    sidecar = root / ".metadata" / f"{NAME}.json"
    assert stored.metadata_link == sidecar.as_uri()
    assert json.loads(sidecar.read_text()) == {
        "name": NAME,
        "size_bytes": 7,
        "crc32c": stored.crc32c,
        "metadata": {"batch": "7"},
    }


def test_metadata_are_written_again_only_when_they_change(root: Path, open_file: Path) -> None:
    store, sidecar = FolderStore(root), root / ".metadata" / f"{NAME}.json"
    inodes = []
    for batch in ("7", "7", "8"):
        store.put(NAME, open_file, {"batch": batch})
        inodes.append(sidecar.stat().st_ino)
    assert inodes[0] == inodes[1] and json.loads(sidecar.read_text())["metadata"] == {"batch": "8"}


def test_only_the_owner_sees_anything(root: Path, open_file: Path) -> None:
    FolderStore(root).put(NAME, open_file, {"a": "b"})
    modes = {(path.is_dir(), oct(path.stat().st_mode & 0o777)) for path in root.rglob("*")}
    assert modes == {(True, "0o700"), (False, "0o600")}


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_a_new_root_is_the_groups_to_list_and_an_old_one_keeps_its_mode(
    root: Path, open_file: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        FolderStore(root).put(NAME, open_file, {"a": "b"})
        assert oct(root.stat().st_mode & 0o777) == "0o750"
        root.chmod(0o755)
        FolderStore(root).put("other/" + NAME, open_file, {"a": "b"})
        assert oct(root.stat().st_mode & 0o777) == "0o755"
    finally:
        os.umask(before)


def test_a_private_file_is_linked_and_an_open_one_copied(root: Path, private_file: Path, tmp_path: Path) -> None:
    store = FolderStore(root)
    store.put("linked", private_file, {})
    assert (root / "linked").samefile(private_file)
    other = Path(shutil.copyfile(private_file, tmp_path / "other"))
    other.chmod(0o644)
    store.put("copied", other, {})
    assert not (root / "copied").samefile(other)


def test_a_file_of_another_file_system_is_copied(root: Path) -> None:
    elsewhere = Path("/dev/shm") / f"sendit-test-{os.getpid()}"
    assert elsewhere.parent.stat().st_dev != root.parent.stat().st_dev
    try:
        elsewhere.write_bytes(b"archive")
        elsewhere.chmod(0o600)
        FolderStore(root).put(NAME, elsewhere, {})
    finally:
        elsewhere.unlink()
    assert (root / NAME).read_bytes() == b"archive"


def test_what_a_killed_put_left_goes_and_what_a_live_one_writes_stays(root: Path, open_file: Path) -> None:
    store = FolderStore(root)
    store.put("first", open_file, {})
    (root / ".incoming" / "left").write_bytes(b"half")
    with open(root / ".incoming" / "live", "wb") as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        store.put("second", open_file, {})
        assert [path.name for path in (root / ".incoming").iterdir()] == ["live"]
    store.put("third", open_file, {})
    assert list((root / ".incoming").iterdir()) == []


def test_a_copy_that_does_not_read_back_gets_no_name(root: Path, open_file: Path) -> None:
    def harm() -> None:
        open_file.write_bytes(b"harmed!")

    with pytest.raises(ServiceDown, match="NotVerified"):
        FolderStore(root).put(NAME, open_file, {}, harm)
    assert objects(root) == [] and list((root / ".incoming").iterdir()) == []


def test_an_object_that_was_harmed_is_noticed_by_a_repeated_put(root: Path, open_file: Path) -> None:
    FolderStore(root).put(NAME, open_file, {})
    (root / NAME).write_bytes(b"harmed!")
    with pytest.raises(ServiceRefused, match="ObjectConflict"):
        FolderStore(root).put(NAME, open_file, {})


def test_a_folder_in_the_way_is_said(root: Path, open_file: Path) -> None:
    store = FolderStore(root)
    store.put("a/b", open_file, {})
    for name in ("a", "a/b/c"):
        with pytest.raises(ServiceDown, match="DiskRefused") as caught:
            store.put(name, open_file, {})
        assert str(root) not in str(caught.value)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from sendit.adapters.folder.store import FolderStore
from sendit.errors import ServiceDown
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    FolderStore(Path(sys.argv[1])).put("large", Path(sys.argv[2]), {})
except ServiceDown as error:
    print(error.code, error.subject)
"""


def test_a_disk_that_takes_no_more_leaves_nothing_half(root: Path, open_file: Path) -> None:
    open_file.write_bytes(bytes(3_000_000))
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", FULL_DISK, root, open_file], capture_output=True, text=True, env=env)
    assert done.stdout == "DiskRefused object store, EFBIG\n", done.stderr
    assert objects(root) == [] and list((root / ".incoming").iterdir()) == []
    assert FolderStore(root).put("large", open_file, {}).size_bytes == 3_000_000


def test_nothing_in_the_store_has_a_true_time_of_change(root: Path, open_file: Path) -> None:
    """Files, what was said of them, and the folders above, which recipients may read."""
    store = FolderStore(root)
    for name in (NAME, NAME.replace(".tar.gz", ".report.json"), NAME):
        store.put(name, open_file, {"images": "7"})
    shown = [path for path in root.rglob("*") if path.relative_to(root).parts[0] not in (".incoming", ".lock")]
    assert len(shown) > 5 and {path.stat().st_mtime for path in [root, *shown]} == {0}


# ---------------------------------------------------------------------------------------------- remove


def test_of_a_removed_object_nothing_is_left_not_even_its_folders(root: Path, open_file: Path) -> None:
    store = FolderStore(root)
    store.put(NAME, open_file, {"batch": "7"})
    (root / ".incoming" / "left").write_bytes(open_file.read_bytes())
    store.remove(NAME)
    assert [path.name for path in root.rglob("*") if path.name not in (".lock", ".incoming", ".metadata")] == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EROFS], ids=errno.errorcode.get)
def test_what_the_file_system_does_not_let_go_is_said(
    root: Path, open_file: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(root)
    store.put(NAME, open_file, {})

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(number, "")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ServiceRefused, match="Retained"):
        store.remove(NAME)
    assert store.read(NAME, 0, 1) == open_file.read_bytes()[:1]
