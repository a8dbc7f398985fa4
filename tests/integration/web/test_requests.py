"""Requests: a command files, another person confirms on a page, and what comes of it only the recipient can read."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sendit.audit.models import AuditRow
from sendit.confirmations.filing import Account
from sendit.confirmations.models import Request
from sendit.pipeline.management.commands import approve, crosswalk
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch, BatchIdentifiers
from sendit.web.roles import Role
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import accession_number, leaks_in, patient_id
from tests.support.shell import Ran, run
from tests.support.site import Site

IDENTITY = pyrage.x25519.Identity.generate()
AGE = str(IDENTITY.to_public())


@pytest.fixture(autouse=True)
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for command in (crosswalk, approve):
        monkeypatch.setattr(command, "account", lambda: Account("olga", "root"))
    with web_settings():
        yield


@pytest.fixture
def two(site: Site, tmp_path: Path) -> list[Batch]:
    """Two studies of two patients; their pseudonyms, and one that nobody has, stand in a file."""
    site.study(1, images=1)
    site.study(2, images=1)
    batches = site.process()
    names = [name for batch in batches for name in (batch.entity_suid, batch.item_suid)]
    (tmp_path / "one").write_text(f"{batches[0].item_suid}\nnobody\n{batches[0].entity_suid}\n\n")
    (tmp_path / "all").write_text("\n".join(names))
    return batches


def ask(tmp_path: Path, *options: str, to: str = AGE) -> Ran:
    file = [] if "--all" in options or "--accessions" in options else ["--pseudonyms", str(tmp_path / "one")]
    return run("crosswalk", "--project", "default", *file, "--to", to, "--reason", "a second opinion", *options)


def decide(role: Role, key: int = 1, do: str = "confirm", name: str = "") -> str:
    browser = signed_in(a_user(role, name=name))
    answer = browser.post("/requests", {"request": key, "do": do}, follow=True)
    page = answer.content.decode() if answer.status_code == 200 else str(answer.status_code)
    assert leaks_in(page) == []
    return page


def fetched(tmp_path: Path) -> bytes:
    ran = run("crosswalk", "--fetch", "1", "--out", str(tmp_path / "sealed"))
    assert ran.code == 0, ran.err
    assert (tmp_path / "sealed").stat().st_mode & 0o777 == 0o600
    return (tmp_path / "sealed").read_bytes()


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode())))


@pytest.mark.parametrize("role", [Role.BROKER, Role.PRIVACY])
def test_a_crosswalk_is_filed_confirmed_by_another_person_and_read_by_the_recipient_alone(
    two: list[Batch], tmp_path: Path, role: Role
) -> None:
    assert ask(tmp_path).out.startswith("Request 1 waits for another person")
    assert run("crosswalk", "--fetch", "1", "--out", str(tmp_path / "early")).code == 1
    assert "Request 1 is confirmed" in decide(role)
    sealed = fetched(tmp_path)
    assert leaks_in(sealed) == []
    first = two[0]
    assert rows(pyrage.decrypt(sealed, [IDENTITY])) == [
        ["kind", "pseudonym", "identifier"],
        ["patient", first.entity_suid, patient_id(1).replace("-", "")],
        ["study", first.item_suid, accession_number(1)],
    ]
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])


def test_it_is_one_row_of_the_audit_trail_that_names_both_persons_and_nobody_else(
    two: list[Batch], tmp_path: Path
) -> None:
    ask(tmp_path)
    decide(Role.BROKER, name="bert")
    (row,) = AuditRow.objects.filter(act="crosswalk")
    assert (row.actor, row.outcome, row.objects_seen) == ("bert", 0, [["request", 1]])
    assert "filed by root" in row.reason and "found 2" in row.reason and leaks_in(row.reason) == []
    assert Request.objects.get().content.reveal() is None


@pytest.mark.parametrize("name", ["olga", "Root", "olga@hospital.example"])
def test_whoever_filed_it_may_not_confirm_it(two: list[Batch], tmp_path: Path, name: str) -> None:
    ask(tmp_path)
    assert "was filed by you" in decide(Role.PRIVACY, name=name)
    assert run("crosswalk", "--fetch", "1", "--out", str(tmp_path / "sealed")).code == 1
    assert AuditRow.objects.get(act="crosswalk").outcome == 4


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.REVIEWER, Role.RESEARCHER, Role.ADMIN, Role.VIEWER])
def test_no_other_role_confirms(two: list[Batch], tmp_path: Path, role: Role) -> None:
    ask(tmp_path)
    assert decide(role) == "403"


def test_it_is_decided_once(two: list[Batch], tmp_path: Path) -> None:
    ask(tmp_path)
    assert "Request 1 is declined" in decide(Role.BROKER, do="decline")
    assert "does not wait" in decide(Role.PRIVACY)
    assert run("crosswalk", "--fetch", "1", "--out", str(tmp_path / "sealed")).code == 1


def test_accession_numbers_bring_pseudonyms_even_after_a_purge(two: list[Batch], tmp_path: Path) -> None:
    BatchIdentifiers.objects.filter(batch=two[1].pk).update(request=BatchIdentifiers().request)
    (tmp_path / "accessions").write_text(f"{accession_number(2)}\nunknown\n")
    ran = ask(tmp_path, "--accessions", str(tmp_path / "accessions"))
    assert ran.code == 0 and leaks_in(ran.out) == []
    decide(Role.BROKER)
    assert rows(pyrage.decrypt(fetched(tmp_path), [IDENTITY]))[1:] == [["study", two[1].item_suid, accession_number(2)]]


def test_all_pseudonyms_are_given_only_where_the_site_says_so(site: Site, two: list[Batch], tmp_path: Path) -> None:
    ran = ask(tmp_path, "--all")
    assert ran.code == 2 and "CrosswalkOfAll" in ran.err
    site.set(CROSSWALK_ALL=True)
    ask(tmp_path, "--all")
    decide(Role.BROKER)
    assert len(rows(pyrage.decrypt(fetched(tmp_path), [IDENTITY]))) == 1 + 4


def test_pseudonyms_of_another_project_are_unknown(two: list[Batch], tmp_path: Path) -> None:
    Batch.objects.filter(pk=two[0].pk).update(project="another")
    ask(tmp_path)
    decide(Role.BROKER)
    assert len(rows(pyrage.decrypt(fetched(tmp_path), [IDENTITY]))) == 1


def test_an_rsa_key_in_pem_serves_too_and_openssl_opens_it(two: list[Batch], tmp_path: Path) -> None:
    key = generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "public.pem").write_bytes(public)
    (tmp_path / "private.pem").write_bytes(private)
    assert ask(tmp_path, to=str(tmp_path / "public.pem")).code == 0
    decide(Role.BROKER)
    fetched(tmp_path)
    command = ["openssl", "cms", "-decrypt", "-inform", "PEM", "-in", "sealed", "-inkey", "private.pem", "-binary"]
    opened = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert opened.returncode == 0, opened.stderr
    assert len(rows(opened.stdout)) == 3


def test_a_key_that_serves_nobody_is_refused(two: list[Batch], tmp_path: Path) -> None:
    ec = ec_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    short = generate_private_key(65537, 1024).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for content in (ec, short, b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        (tmp_path / "key.pem").write_bytes(content)
        assert "BadRecipient" in ask(tmp_path, to=str(tmp_path / "key.pem")).err
    assert "BadRecipient" in ask(tmp_path, to="age1nonsense").err
    assert ask(tmp_path, to=str(tmp_path / "nowhere")).code == 2
    assert not Request.objects.exists()


def test_wrong_use_files_nothing(two: list[Batch], tmp_path: Path) -> None:
    (tmp_path / "one").write_text("\n \n")
    assert ask(tmp_path).code == 2
    assert run("crosswalk", "--project", "default").code == run("crosswalk", "--fetch", "1").code == 2
    (tmp_path / "one").write_text("x")
    assert "UnknownProject" in run(
        "crosswalk", "--project", "none", "--pseudonyms", str(tmp_path / "one"), "--to", AGE, "--reason", "r"
    ).err  # fmt: skip
    assert not Request.objects.exists()


def test_a_file_that_is_there_is_not_replaced(two: list[Batch], tmp_path: Path) -> None:
    ask(tmp_path)
    decide(Role.BROKER)
    fetched(tmp_path)
    assert run("crosswalk", "--fetch", "1", "--out", str(tmp_path / "sealed")).code == 2


def test_what_was_asked_stands_encrypted(site: Site, two: list[Batch], tmp_path: Path) -> None:
    (tmp_path / "accessions").write_text(accession_number(2))
    ask(tmp_path, "--accessions", str(tmp_path / "accessions"))
    assert leaks_in((site.var / "sendit.sqlite3").read_bytes()) == []


# ------------------------------------------------------------------------------------------ approvals


def test_a_project_is_approved_by_another_person_until_it_changes(site: Site) -> None:
    site.set(REQUIRE_APPROVAL=True)
    site.study(1, images=1)
    (batch,) = site.process()
    assert (batch.state, [error["code"] for error in batch.errors]) == ("ERROR", ["NotApproved"])
    assert run("approve", "--reason", "the first").code == 0
    assert decide(Role.BROKER) == "403"
    assert "is confirmed" in decide(Role.PRIVACY, name="pia")
    run("retry", "--code", "NotApproved")
    assert site.attempt(batch.pk, Job.PROCESS) and Batch.objects.get().state == "DONEPROCESSING"
    assert [row.act for row in AuditRow.objects.filter(act="approve")] == ["approve"]
    page = signed_in(a_user(Role.OPERATOR)).get("/approval").content.decode()
    assert "Approved by pia" in page and site.ports.recipe.sha256 in page
    site.set(STUDY_DEID="basic")
    page = signed_in(a_user(Role.ADMIN)).get("/approval").content.decode()
    assert re.search(r"Not approved: it or its recipe was changed .* No batch is processed", page)
    site.study(2, images=1)
    assert [one.state for one in site.process()] == ["ERROR"]


def test_a_recipe_that_was_changed_is_not_approved(site: Site, tmp_path: Path) -> None:
    recipe = tmp_path / "own"
    recipe.write_text("FORMAT dicom\nINCLUDE research\n")
    site.set(STUDY_DEID=recipe)
    run("approve", "--reason", "the first")
    decide(Role.PRIVACY)
    browser = signed_in(a_user(Role.OPERATOR))
    assert "Approved by" in browser.get("/approval").content.decode()
    recipe.write_text("FORMAT dicom\nINCLUDE research\n%header\nBLANK PatientAge\n")
    assert "Not approved: it or its recipe was changed" in browser.get("/approval").content.decode()


def test_without_the_setting_nothing_waits_for_an_approval(site: Site) -> None:
    site.study(1, images=1)
    assert [batch.state for batch in site.process()] == ["DONEPROCESSING"]
    assert "Not approved." in signed_in(a_user(Role.PRIVACY)).get("/approval").content.decode()
