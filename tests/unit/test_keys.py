"""Key files: their form, their proofs, and when one may be made."""

from __future__ import annotations

import base64
import re
import secrets
import shutil
from pathlib import Path

import pytest

from sendit import keys
from sendit.errors import Misconfigured
from sendit.keys import KeyFile, Memory
from tests.support.processes import at_once

NONSENSE = {
    KeyFile.PSEUDONYM: [b"", b" " * 64, b"\n", b"fifteen bytes..", b"brief" + b"\n" * 40],
    KeyFile.DIGEST: [b"", b"\t" * 64, b"another key", b"k" * 31, b"k" * 31 + b" \n"],
    **{key: [b"", b"\n\n", b"nonsense", base64.urlsafe_b64encode(bytes(31)), b"\xff" * 44] for key in keys.LINED},
}


@pytest.mark.parametrize("file", KeyFile)
def test_what_has_not_the_form_of_a_key_is_refused_without_quoting_it(tmp_path: Path, file: KeyFile) -> None:
    for content in NONSENSE[file]:
        (tmp_path / file).write_bytes(content)
        with pytest.raises(Misconfigured, match=rf"BadKey \({file}: ") as raised:
            keys.load(tmp_path, file)
        assert not content.strip() or repr(content.strip())[2:-1] not in str(raised.value)


def test_the_line_that_is_wrong_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / KeyFile.IDENTIFIERS).write_bytes(base64.urlsafe_b64encode(bytes(32)) + b"\nnonsense\n")
    with pytest.raises(Misconfigured, match="line 2 is not a key"):
        keys.load(tmp_path, KeyFile.IDENTIFIERS)


def test_a_pseudonym_key_is_used_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / KeyFile.PSEUDONYM).write_bytes(b"  a site's own words \n")
    assert keys.load(tmp_path, KeyFile.PSEUDONYM) == (b"  a site's own words \n",)


def test_one_key_has_another_proof_in_each_file_and_no_proof_holds_it() -> None:
    key = secrets.token_bytes(32)
    found = {keys.proofs(file, (key,)) for file in KeyFile}
    assert len(found) == len(KeyFile) and not any(key.hex() in proof for (proof,) in found)


def test_of_several_who_make_keys_at_once_all_have_the_same_and_none_sees_one_lost(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"

    def start() -> object:
        keys.make_for_new_site(folder, tmp_path)
        return keys.load(folder, KeyFile.PSEUDONYM)

    assert set(at_once(*[start] * 8)) == {keys.load(folder, KeyFile.PSEUDONYM)}
    assert {path.name for path in folder.iterdir()} == keys.ALL


@pytest.mark.parametrize("there", [file for file in KeyFile if file is not KeyFile.PSEUDONYM])
def test_beside_a_key_that_others_belong_to_none_is_made(tmp_path: Path, there: KeyFile) -> None:
    keys.make(tmp_path, {there})
    with pytest.raises(Misconfigured, match="BadKey"):
        keys.make_for_new_site(tmp_path, tmp_path)
    assert keys.present(tmp_path) == {there}


def test_a_new_site_may_begin_with_the_pseudonyms_of_another(tmp_path: Path) -> None:
    keys.make(tmp_path, {KeyFile.PSEUDONYM})
    before = keys.fingerprint(tmp_path)
    keys.make_for_new_site(tmp_path, tmp_path)
    assert keys.present(tmp_path) == keys.ALL and keys.fingerprint(tmp_path) == before


@pytest.mark.parametrize("kept", [keys.DATABASE, keys.MEMORY])
def test_keys_that_were_lost_are_not_made_again(tmp_path: Path, kept: str) -> None:
    keys.make(tmp_path / "secrets")
    proofs = keys.proofs(KeyFile.DIGEST, keys.load(tmp_path / "secrets", KeyFile.DIGEST))
    keys.Memory({KeyFile.DIGEST: proofs}).write(tmp_path)
    if kept == keys.DATABASE:
        (tmp_path / keys.MEMORY).rename(tmp_path / keys.DATABASE)
    shutil.rmtree(tmp_path / "secrets")
    keys.ensure_made(tmp_path / "secrets", tmp_path, "nowhere")
    with pytest.raises(Misconfigured, match="BadKey"):
        keys.make_for_new_site(tmp_path / "secrets", tmp_path)


def test_a_var_without_keys_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"NotInitialised \(no keys in .*secrets, nowhere\)"):
        keys.ensure_made(tmp_path / "secrets", tmp_path, "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_fingerprint_is_the_keys_own(tmp_path: Path) -> None:
    keys.make(tmp_path / "a")
    keys.make(tmp_path / "b")
    assert re.fullmatch(r"[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}", keys.fingerprint(tmp_path / "a"))
    assert keys.fingerprint(tmp_path / "a") != keys.fingerprint(tmp_path / "b")


def test_making_keys_replaces_none(tmp_path: Path) -> None:
    keys.make(tmp_path, {KeyFile.DIGEST})
    before = keys.load(tmp_path, KeyFile.DIGEST)
    keys.make(tmp_path)
    assert keys.present(tmp_path) == keys.ALL and keys.load(tmp_path, KeyFile.DIGEST) == before


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"proofs": []}', '{"proofs": {"x": ["a"]}, "databases": []}', '{"proofs": {}}']
)
def test_a_memory_that_makes_no_sense_remembers_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / keys.MEMORY).write_text(text)
    assert Memory.read(tmp_path) == Memory()


def test_a_memory_comes_back_as_it_was_for_its_owner_only(tmp_path: Path) -> None:
    memory = Memory({KeyFile.IDENTIFIERS: ("b", "a"), KeyFile.DIGEST: ("c",)}, frozenset({"sqlite:x"}))
    memory.write(tmp_path)
    assert Memory.read(tmp_path) == memory
    assert [path.name for path in tmp_path.iterdir()] == [keys.MEMORY]
    assert (tmp_path / keys.MEMORY).stat().st_mode & 0o777 == 0o600


def test_a_site_of_an_earlier_version_gets_the_key_that_it_did_not_have_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    keys.make(folder, keys.ALL - keys.LATER)
    (tmp_path / keys.DATABASE).touch()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    keys.make_for_new_site(folder, tmp_path)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(after) - set(before) == keys.LATER and before.items() <= after.items()
    (folder / KeyFile.SIGNING).unlink()
    proofs = keys.proofs(KeyFile.SIGNING, (after["signing.key"],))
    Memory({KeyFile.SIGNING: proofs}).write(tmp_path)
    with pytest.raises(Misconfigured, match=r"BadKey \(signing.key: missing"):
        keys.make_for_new_site(folder, tmp_path)


def test_who_else_may_read_a_key_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    keys.make(folder)
    assert keys.open_to_others(folder) == []
    folder.chmod(0o750)
    (folder / KeyFile.DIGEST).chmod(0o604)
    assert keys.open_to_others(folder) == [".", KeyFile.DIGEST]
