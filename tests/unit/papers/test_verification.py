"""Deliveries against their statements: a single byte that somebody changed is found, and named."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sendit.errors import Misconfigured
from sendit.papers.signing import PublicKey, SigningKey, read_public_keys
from sendit.papers.statement import REPORTED, Subject, make_statement, sign
from sendit.papers.verification import Verified, verify
from sendit.pipeline.record.member import Member
from sendit.pipeline.stages.archive import ArchiveWriter
from tests.support.chunks import Chunks

KEY = SigningKey(b"k" * 32)
NAME = "p1_20100101_s1"
IMAGES = {f"s1_1_{number}.dcm": random.Random(number).randbytes(size) for number, size in enumerate((40, 0, 90), 1)}
OTHER_BYTES = "statement: the envelope is not written as sendit writes it, though its signature is good"
REPORT = {field: f"what is said of {field}" for field in REPORTED}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A delivery, with its report and its statement."""
    return deliver(tmp_path, NAME, IMAGES)


def deliver(folder: Path, name: str, images: dict[str, bytes]) -> Path:
    path, report = folder / f"{name}.tar.gz", json.dumps(REPORT).encode()
    with ArchiveWriter(path, name) as writer:
        members = [writer.add(image, len(content), Chunks(iter([content]))) for image, content in images.items()]
        facts = writer.close()
    (folder / f"{name}.report.json").write_bytes(report)
    subjects = [Subject(path.name, facts.sha256), Subject(f"{name}.report.json", hashlib.sha256(report).hexdigest())]
    statement = make_statement([*subjects, *map(subject, members)], REPORT | {"released": []})
    (folder / f"{name}.intoto.jsonl").write_bytes(b"".join(sign(statement, KEY)))
    return path


def subject(member: Member) -> Subject:
    return Subject(member.name, member.sha256, member.offset, member.length)


def statement_of(archive: Path) -> Path:
    return archive.with_name(f"{NAME}.intoto.jsonl")


def found(path: Path, *keys: PublicKey) -> Verified:
    (one,) = verify(path, keys or (KEY.public,))
    return one


def flipped(path: Path, step: int = 1) -> Iterator[int]:
    """Change one bit of each byte in turn, and put it back."""
    whole = path.read_bytes()
    for at in range(0, len(whole), step):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        yield at
    path.write_bytes(whole)


def test_a_delivery_is_as_it_was_signed(archive: Path) -> None:
    one = found(archive)
    assert (one.name, one.images, one.key_id, one.problems) == (archive.name, 3, KEY.public.key_id, ())
    assert found(archive.parent) == one == found(statement_of(archive))


def test_each_byte_of_an_archive_that_is_changed_is_found_in_its_image(archive: Path) -> None:
    members = json.loads(base64.b64decode(json.loads(statement_of(archive).read_text())["payload"]))["subject"][2:]
    places = {one["name"]: one["annotations"] for one in members}
    for at in flipped(archive, 2):
        problems = found(archive).problems
        inside = [name for name, p in places.items() if p["offset"] <= at < p["offset"] + p["length"]]
        named = [name for name in places if any(f"image {name} " in problem for problem in problems)]
        assert problems and named in (inside, []), at
        # A bit that changes nothing of what is inflated, such as padding, is found in the whole alone.
        assert named or not inside or "outside of its images" in problems[-1], at
    assert found(archive).is_whole


def test_each_byte_of_a_statement_that_is_changed_is_found(archive: Path) -> None:
    missed = [at for at in flipped(statement_of(archive), 11) if not found(archive).problems]
    assert missed == []


def test_a_statement_of_the_same_meaning_in_other_bytes_is_found(archive: Path) -> None:
    path = statement_of(archive)
    line = path.read_text()
    for same in (line + "\n", line.replace('":', '": '), line.replace('"payload"', '"x":1,"payload"')):
        path.write_text(same)
        assert found(archive).problems == (OTHER_BYTES,)
    sig = json.loads(line)["signatures"][0]["sig"]
    letters = string.ascii_letters + string.digits
    alike = [f"{sig[:-3]}{last}==" for last in letters if last != sig[-3]]
    same_bits = [one for one in alike if base64.b64decode(one) == base64.b64decode(sig)]
    assert same_bits
    for other in same_bits:
        path.write_text(line.replace(sig, other))
        assert found(archive).problems == (OTHER_BYTES,)


def test_each_byte_of_a_report_that_is_changed_is_found(archive: Path) -> None:
    report = archive.with_name(f"{NAME}.report.json")
    for _ in flipped(report, 23):
        assert found(archive).problems == (f"the report {report.name} is not what was signed",)


@pytest.mark.parametrize("field", REPORTED)
def test_a_field_of_a_statement_that_was_changed_is_named(archive: Path, field: str) -> None:
    change(archive, lambda told: told["predicate"].update({field: "another"}))
    problems = found(archive).problems
    assert f"statement: predicate.{field} is not what the report says" in problems
    assert any("signature" in problem for problem in problems) and len(problems) == 2


def test_a_digest_of_a_statement_that_was_changed_is_named(archive: Path) -> None:
    change(archive, lambda told: told["subject"][3]["digest"].update(sha256="0" * 64))
    assert "image s1_1_2.dcm is not what was signed" in found(archive).problems


def change(archive: Path, how: object) -> None:
    path = statement_of(archive)
    envelope = json.loads(path.read_text())
    told = json.loads(base64.b64decode(envelope["payload"]))
    how(told)  # type: ignore[operator]
    payload = base64.b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()
    path.write_text(json.dumps(envelope | {"payload": payload}, separators=(",", ":")) + "\n")


def test_another_sites_key_verifies_nothing(archive: Path) -> None:
    other = SigningKey(b"o" * 32).public
    assert len(found(archive, other).problems) == 2  # the signature, and the name of the key
    assert found(archive, other, KEY.public).is_whole


def test_an_image_that_is_not_in_the_statement_voids_the_archive(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes() + archive.read_bytes())
    assert found(archive).problems == ("the archive has other bytes than were signed, outside of its images",)


def test_images_that_were_unpacked_are_verified_by_their_names(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    archive.unlink()
    assert (found(tmp_path).images, found(tmp_path).problems) == (3, ())
    (tmp_path / NAME / "s1_1_3.dcm").write_bytes(b"another")
    (tmp_path / NAME / "s1_1_9.dcm").write_bytes(b"added")
    whole, *others = verify(tmp_path, [KEY.public])
    assert (whole.images, whole.problems) == (2, ())
    assert [(one.name, one.problems) for one in others] == [
        (f"{NAME}/s1_1_3.dcm", ("is not what was signed",)),
        (f"{NAME}/s1_1_9.dcm", ("no statement names it",)),
    ]


def test_two_parts_may_have_images_of_one_name(archive: Path, tmp_path: Path) -> None:
    deliver(tmp_path, f"{NAME}.part2", {"s1_1_1.dcm": b"another image of that name"})
    for path in sorted(tmp_path.glob("*.tar.gz")):
        with tarfile.open(path) as tar:
            tar.extractall(tmp_path, filter="data")
    assert [(one.images, one.problems) for one in verify(tmp_path, [KEY.public])] == [(6, ()), (2, ())]


def test_what_is_missing_is_said(archive: Path, tmp_path: Path) -> None:
    kept = archive.read_bytes()
    archive.unlink()
    assert found(statement_of(archive)).problems == ("the archive is missing",)
    assert found(tmp_path).problems == ("neither the archive nor an image of it is here",)
    archive.write_bytes(kept)
    statement_of(archive).unlink()
    assert found(archive).problems == found(tmp_path).problems == ("it has no statement",)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"payload":""}', b"\xff" * 9, b"[" * 100_000, b'{"payload":1,"signatures":[{}]}']
)
def test_what_is_no_statement_is_damaged(archive: Path, content: bytes) -> None:
    statement_of(archive).write_bytes(content)
    (problem,) = found(archive).problems
    assert problem.startswith("the statement is damaged: ")


@pytest.mark.parametrize("place", [(-1, 5), (1 << 70, 5), (0, -7), (0, 1 << 70), (3, 3)])
def test_a_place_that_makes_no_sense_is_not_an_image(archive: Path, place: tuple[int, int]) -> None:
    told = make_statement([Subject(archive.name, "0" * 64), Subject("x.dcm", "0" * 64, *place)], REPORT)
    statement_of(archive).write_bytes(b"".join(sign(told, KEY)))
    assert any(problem.startswith("image x.dcm cannot be unpacked") for problem in found(archive).problems)


def test_openssl_verifies_it_too(archive: Path, tmp_path: Path) -> None:
    """Whoever distrusts sendit needs DSSE's one rule, and openssl."""
    envelope = json.loads(statement_of(archive).read_text())
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    (tmp_path / "message").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload))
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (tmp_path / "site.pub").write_text(KEY.public.pem)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "site.pub", "-rawin", "-in", "message"]
    ran = subprocess.run([*command, "-sigfile", "sig"], cwd=tmp_path, capture_output=True, text=True)
    assert "Verified Successfully" in ran.stdout + ran.stderr, ran.stderr


def test_a_public_key_comes_back_from_its_file(tmp_path: Path) -> None:
    both = [KEY.public, SigningKey(b"o" * 32).public]
    (tmp_path / "site.pub").write_text("".join(key.pem for key in both))
    assert list(read_public_keys(tmp_path / "site.pub")) == both
    rsa = generate_private_key(65537, 2048).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for wrong in (
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        rsa,
        KEY.public.pem.encode() + rsa,
    ):
        (tmp_path / "wrong.pub").write_bytes(wrong)
        with pytest.raises(Misconfigured, match="BadPublicKey"):
            read_public_keys(tmp_path / "wrong.pub")
