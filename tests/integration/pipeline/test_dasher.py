"""Batches that get their pseudonyms from a DASHER API: chosen by settings, waiting while it is away, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom import dcmread

from sendit.client_secrets import ClientSecrets, SecretsFile, Tokens
from sendit.pipeline.record.models import Batch
from tests.support.aftermath import everything_is_right
from tests.support.hostile import HostileServer, Play, answers, hostile, says
from tests.support.phantoms import accession_number, leaks_in
from tests.support.shell import Ran, run
from tests.support.site import Site, delivery_of


def use(site: Site, server: HostileServer, path: Path) -> None:
    """The site asks this server."""
    path.unlink(missing_ok=True)
    uri = f"{server.origin}/token/api/v1/refresh"
    SecretsFile(path).write_new(ClientSecrets(Tokens("a", "b"), "gateway", uri))
    site.set(
        ANONYMIZE_RESTFUL=True,
        IDENTITY_URL=f"{server.origin}/identifiers/api",
        STANFORD_CLIENT_SECRETS=str(path),
        SOM_STUDY="IRB12345",
    )


def test_a_batch_is_de_identified_with_the_services_pseudonyms(site: Site, tmp_path: Path) -> None:
    site.study(7, images=2)
    with hostile(answers()) as server:
        use(site, server, tmp_path / "secrets.json")
        (batch,) = site.process()
    assert (batch.state, batch.entity_suid, batch.item_suid) == ("DONEPROCESSING", "p0", "s0")
    (request,) = server.requests
    assert request.path == "/identifiers/api/v1/uid/irb12345"
    assert request.json["identifiers"][0]["items"][0]["id"] == accession_number(7)
    assert batch.identifiers.response.reveal()["items"][0]["jitter"] == 5
    assert delivery_of(batch).object_name.startswith("Collection/IRB00000/Entity/p0/p0_20040124_s0")


def test_a_service_that_is_away_for_longer_than_anyone_waits_delays_batches_and_loses_none(
    site: Site, tmp_path: Path
) -> None:
    site.set(IDENTITY_RETRY_SECONDS=0.1)
    for number in range(3):
        site.study(number, images=2)
    with hostile(says(503, b"<html>", "text/html")) as server:
        use(site, server, tmp_path / "secrets.json")
        for _ in range(4):  # more often than a batch may be attempted
            site.process()
            assert set(Batch.objects.values_list("state", "waits_for", "attempts")) == {("QUEUE", "IdentityDown", 0)}
            assert run("status").code == 0 and "IdentityDown" in run("status").out
            assert leaks_in(json.dumps(list(Batch.objects.get(pk=1).events.values_list("name", "fields")))) == []
            let_time_pass()
    site.process()  # by now nobody listens
    assert Batch.objects.counts()["QUEUE"] == 3
    let_time_pass()
    with hostile(by_question()) as server:
        use(site, server, tmp_path / "secrets.json")
        site.process()
        site.deliver()
    everything_is_right(site, images=2)


def by_question() -> Play:
    """Answers with pseudonyms made of the number at the question's end."""

    def play(request: object, connection: object) -> None:
        number = request.json["identifiers"][0]["id"][-5:]  # type: ignore[attr-defined]
        answers(
            lambda results: (results[0].update(suid=f"p{number}"), results[0]["items"][0].update(suid=f"s{number}"))
        )(request, connection)  # type: ignore[arg-type]

    return play


@pytest.mark.parametrize(
    ("play", "code"),
    [(says(401), "IdentityCredentials"), (says(403), "IdentityRefused"), (says(200, b"{}"), "BadIdentityAnswer")],
)
def test_what_will_not_pass_makes_the_batch_an_error_that_says_so(
    site: Site, tmp_path: Path, play: Play, code: str
) -> None:
    site.study(1, images=2)
    with hostile(play) as server:
        use(site, server, tmp_path / "secrets.json")
        (batch,) = site.process()
    assert (batch.state, batch.found, batch.errored) == ("ERROR", 2, 2)
    assert batch.errors == [{"code": code, "tag": "", "count": 2, "stage": "identify"}]
    with hostile(answers()) as server:
        use(site, server, tmp_path / "secrets.json")
        run("retry", "--code", code)
        (batch,) = site.process()
    assert batch.state == "DONEPROCESSING"


def test_a_deployment_without_its_secrets_is_told_before_anything_is_done(site: Site) -> None:
    site.set(ANONYMIZE_RESTFUL=True)
    done = site.run("status")
    assert done.returncode == 2 and "sendit.E001" in done.stderr and "STANFORD_CLIENT_SECRETS" in done.stderr


def test_a_file_de_identified_without_a_batch_has_the_same_pseudonyms(site: Site, tmp_path: Path) -> None:
    folder = site.study(7, images=1)
    (tmp_path / "key").write_bytes(b"a key of one's own, sixteen bytes or more")
    with hostile(answers()) as server:
        use(site, server, tmp_path / "secrets.json")
        assert patient_id_of(run("deid", str(folder), str(tmp_path / "out")), tmp_path / "out") == "p0"
        assert len(server.requests) == 1
        mine = run("deid", str(folder), str(tmp_path / "mine"), "--key-file", str(tmp_path / "key"))
        assert patient_id_of(mine, tmp_path / "mine") != "p0" and len(server.requests) == 1


def patient_id_of(ran: Ran, folder: Path) -> str:
    assert ran.code == 0
    (path,) = folder.rglob("*.dcm")
    return str(dcmread(path).PatientID)


def let_time_pass() -> None:
    for batch in Batch.objects.all():
        Batch.objects.filter(pk=batch.pk).update(not_before=batch.created_at)
