"""The client-secrets file: whole whenever it is read, its owner's only, and no token lost that could be kept."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from sendit.client_secrets import ClientSecrets, SecretsFile, Tokens, endpoint, is_token
from sendit.errors import ServiceDown
from tests.support.disks import small_disk
from tests.support.processes import FORK, at_once, killed_after

OLD = Tokens("access-1", "refresh-1")
SECRETS = ClientSecrets(OLD, "gateway", "https://identity.example.org/token/api/v1/refresh")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    SecretsFile(tmp_path / "secrets.json").write_new(SECRETS)
    return tmp_path / "secrets.json"


def next_of(secrets: ClientSecrets) -> Tokens:
    """What a service gives for them: of the same family, one further on."""
    name, _, number = secrets.tokens.refresh.partition("-")
    return Tokens(f"access-{int(number) + 1}", f"{name}-{int(number) + 1}")


def renew(path: Path, stale: Tokens = OLD) -> Tokens:
    return SecretsFile(path).renewed(stale, next_of, 5.0).tokens


def hang(secrets: ClientSecrets) -> Tokens:
    """A service that keeps the line."""
    time.sleep(60)
    raise TimeoutError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read_by_its_owner_only(path: Path) -> None:
    read = SecretsFile(path).read()
    assert (read.tokens, read.client_id, read.token_uri) == (OLD, "gateway", SECRETS.token_uri)
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path.parent) == ["secrets.json"]


def test_secrets_that_are_there_are_not_replaced_by_new_ones(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        SecretsFile(path).write_new(ClientSecrets(Tokens("a", "b"), "", SECRETS.token_uri))
    assert path.read_bytes() == before and names(path.parent) == ["secrets.json"]


def test_neither_a_token_nor_the_secrets_show_themselves() -> None:
    assert "access-1" not in repr(OLD) + repr(SECRETS) + str(SECRETS)


def test_renewed_tokens_take_the_old_ones_place_and_leave_the_rest(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scope": "irb12345"}))
    path.chmod(0o644)
    assert renew(path) == Tokens("access-2", "refresh-2")
    fields = json.loads(path.read_text())
    assert fields["scope"] == "irb12345" and fields["refreshToken"] == "refresh-2"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path.parent) == [".secrets.json.lock", "secrets.json"]


def test_tokens_that_another_worker_has_renewed_are_taken_from_the_file(path: Path) -> None:
    assert [renew(path), renew(path)] == [Tokens("access-2", "refresh-2")] * 2


def test_of_many_who_renew_at_once_one_does(path: Path) -> None:
    assert set(at_once(*[lambda: renew(path)] * 8)) == {Tokens("access-2", "refresh-2")}


def test_a_link_stays_a_link(path: Path) -> None:
    link = path.parent / "link"
    link.symlink_to(path)
    renew(link)
    assert link.is_symlink() and json.loads(path.read_text())["accessToken"] == "access-2"


def test_a_refused_renewal_leaves_the_file_as_it_was(path: Path) -> None:
    def refuse(secrets: ClientSecrets) -> Tokens:
        raise ServiceDown("IdentityDown")

    before = path.read_bytes()
    with pytest.raises(ServiceDown):
        SecretsFile(path).renewed(OLD, refuse, 1.0)
    assert path.read_bytes() == before and names(path.parent) == [".secrets.json.lock", "secrets.json"]


def test_a_worker_killed_while_it_renews_leaves_the_file_whole_and_the_lock_free(path: Path) -> None:
    assert killed_after(0.5, lambda: SecretsFile(path).renewed(OLD, hang, 1.0))
    assert SecretsFile(path).read().tokens == OLD
    assert len(names(path.parent)) == 3  # its draft is there
    assert renew(path) == Tokens("access-2", "refresh-2")
    assert names(path.parent) == [".secrets.json.lock", "secrets.json"]


def test_who_waits_for_another_worker_waits_only_so_long(path: Path) -> None:
    other = FORK.Process(target=lambda: SecretsFile(path).renewed(OLD, hang, 1.0))
    other.start()
    try:
        while len(names(path.parent)) < 3:
            time.sleep(0.01)
        with pytest.raises(ServiceDown, match="IdentityDown"):
            SecretsFile(path).renewed(OLD, next_of, 0.1)
    finally:
        other.kill()
        other.join()


def test_a_full_disk_is_found_before_new_tokens_are_asked_for(tmp_path: Path) -> None:
    folder, asked = tmp_path / "disk", []
    with small_disk(folder, "24k"):
        SecretsFile(folder / "secrets.json").write_new(SECRETS)
        (folder / "more").write_bytes(b"x" * 8192)
        with pytest.raises(ServiceDown, match="NoSpace"):
            SecretsFile(folder / "secrets.json").renewed(OLD, lambda secrets: asked.append(secrets) or OLD, 1.0)
        assert asked == [] and SecretsFile(folder / "secrets.json").read().tokens == OLD
        (folder / "more").unlink()
        assert renew(folder / "secrets.json") == Tokens("access-2", "refresh-2")


@pytest.mark.parametrize(
    "text",
    [
        "https://api.rit.stanford.edu/identifiers/api",
        "https://identity.example.org:8443/x",
        "http://127.0.0.1:8000/identifiers/api",
        "http://localhost",
        "http://[::1]:8000",
    ],
)
def test_an_address_that_keeps_what_it_is_told_is_one(text: str) -> None:
    assert endpoint(f" {text}/ ") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.rit.stanford.edu",
        "http://api.rit.stanford.edu",
        "ftp://localhost",
        "https://",
        "https://user:secret@a.b",
        "https://a.b/?q=1",
        "https://a.b/#x",
        "https://a.b:http/",
        "https://a.b/\nx",
        "https://a.b/ü",
        "http://localhost.evil.org",
        "http://127.0.0.1@evil.org/",
    ],
)
def test_an_address_that_does_not_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        endpoint(text)


@pytest.mark.parametrize(
    ("text", "is_one"), [("aB1-._~+/=", True), ("", False), ("a b", False), ("a\n", False), (7, False)]
)
def test_a_token_can_stand_in_a_header(text: object, is_one: bool) -> None:
    assert is_token(text) is is_one
