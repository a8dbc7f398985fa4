"""The signed statement: beside its archive, of nobody, and proof for whoever has the site's public key."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from sendit.pipeline import operations
from sendit.pipeline.record.decisions import Decision
from sendit.pipeline.record.leases import Job
from sendit.pipeline.stages import reporting
from tests.support.phantoms import leaks_in
from tests.support.shell import run
from tests.support.site import Site, delivery_of


def delivered(site: Site, **options: Any) -> Path:
    """The archive of a study that was delivered."""
    site.study(1, **options)
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE", batch.errors
    return site.settings.store_folder / delivery_of(batch).object_name


def statement_of(archive: Path) -> Path:
    return archive.with_name(archive.name.replace(".tar.gz", f".{reporting.STATEMENT}"))


def payload_of(archive: Path) -> dict[str, Any]:
    return json.loads(base64.b64decode(json.loads(statement_of(archive).read_text())["payload"]))


@pytest.fixture
def key(site: Site, tmp_path: Path) -> Path:
    path = tmp_path / "site.pub"
    path.write_text(run("public_key").out)
    return path


def test_a_delivery_is_verified_far_away(site: Site, tmp_path: Path) -> None:
    archive = delivered(site, images=3)
    key = tmp_path / "site.pub"
    key.write_text(run("public_key").out)
    far = tmp_path / "far"
    archive.parent.rename(far)
    command = [sys.executable, "-m", "sendit", "verify", "--key", str(key), str(far / archive.name)]
    done = subprocess.run(
        command, cwd=tmp_path, env={"SENDIT_VAR": str(tmp_path / "none")}, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.endswith(", 3 images\n")
    assert not (tmp_path / "none").exists()


def test_the_statement_says_what_the_report_says_and_holds_no_time_and_no_identifier(site: Site) -> None:
    archive = delivered(site, images=2)
    told = payload_of(archive)
    report = json.loads(archive.with_name(archive.name.replace(".tar.gz", ".report.json")).read_text())
    own = {"released": [], "project": {"sha256": site.ports.project.fingerprint}}
    assert told["predicate"].items() <= (report | own).items()
    assert len(site.ports.project.fingerprint) == 64
    assert len(told["subject"]) == 3 + 2
    text = statement_of(archive).read_bytes()
    assert leaks_in(text) == leaks_in(json.dumps(told)) == []


def test_who_released_an_image_is_said_by_user_name(site: Site, key: Path) -> None:
    site.set(STUDY_DEID="basic")
    folder = site.study(1, images=2)
    first, _ = sorted(folder.iterdir())
    image = dcmread(first)
    image.BurnedInAnnotation = "YES"
    image.save_as(first)
    (batch,) = site.process()
    site.deliver()
    operations.review(site.projects, batch.pk, [1], Decision.RELEASE, "rae", "no name in it")
    site.attempt(batch.pk, Job.PROCESS)
    site.deliver()
    one, two = sorted(site.settings.store_folder.rglob("*.tar.gz"), key=lambda path: path.name)
    second = one if "part2" in one.name else two
    (released,) = payload_of(second)["predicate"]["released"]
    assert released["by"] == "rae" and released["image"] in {each["name"] for each in payload_of(second)["subject"]}
    ran = run("verify", "--key", str(key), str(site.settings.store_folder))
    assert (ran.code, ran.lines[-1]) == (0, "2 of 2 are as they were signed.")


def test_a_changed_byte_is_named(site: Site, tmp_path: Path) -> None:
    there = delivered(site, images=3)
    archive = shutil.copytree(there.parent, tmp_path / "far") / there.name
    last = payload_of(archive)["subject"][-1]
    content = bytearray(archive.read_bytes())
    content[last["annotations"]["offset"] + last["annotations"]["length"] // 2] ^= 1
    archive.write_bytes(content)
    ran = run("verify", str(archive))  # by the site's own key
    assert ran.code == 1 and f"{archive.name}: image {last['name']} " in ran.out and len(ran.lines) == 2


def test_what_an_earlier_version_made_is_delivered_without_a_statement(site: Site) -> None:
    site.study(1, images=1)
    (batch,) = site.process()
    (site.outbox / str(batch.pk) / reporting.STATEMENT).unlink()
    (batch,) = site.deliver()
    assert batch.state == "DONE"
    ran = run("verify", str(site.settings.store_folder))
    assert ran.code == 1 and ran.out.endswith("it has no statement\n")


def test_a_second_run_signs_the_same(site: Site) -> None:
    site.study(1, images=2)
    (batch,) = site.process()
    path = site.outbox / str(batch.pk) / reporting.STATEMENT
    first = path.read_bytes()
    type(batch).objects.filter(pk=batch.pk).update(state="QUEUE")
    site.process()
    assert path.read_bytes() == first


def test_a_withdrawn_study_leaves_no_statement(site: Site) -> None:
    archive = delivered(site, images=1)
    run("withdraw", "1", "--reason", "consent withdrawn")
    assert not archive.exists() and not statement_of(archive).exists()


def test_a_new_key_signs_and_the_old_one_still_verifies(site: Site, tmp_path: Path) -> None:
    archive = delivered(site, images=1)
    path = site.settings.secrets_folder / "signing.key"
    path.write_bytes(base64.urlsafe_b64encode(b"n" * 32) + b"\n" + path.read_bytes())
    first, *others = run("public_key", "--all").out.split("sendit signing key")[1:]
    assert len(others) == 1 and run("public_key").out == "sendit signing key" + first
    assert run("verify", str(archive)).code == 0
    (tmp_path / "new.pub").write_text(run("public_key").out)
    assert run("verify", "--key", str(tmp_path / "new.pub"), str(archive)).code == 1


def test_wrong_use_is_said(site: Site, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("verify", str(tmp_path / "nowhere")).code == run("verify", str(tmp_path / "empty")).code == 2
    assert run("verify", "--key", str(tmp_path / "nowhere"), str(tmp_path)).code == 2
    for path in site.settings.secrets_folder.iterdir():
        path.unlink()
    assert "--key" in run("verify", str(tmp_path / "empty")).err
