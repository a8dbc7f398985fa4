"""The API: the seeds' endpoints under their names, tokens with scopes, problems, operations done once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from sendit.pipeline.record.models import Batch, Event
from sendit.web import tokens
from sendit.web.api import shown
from sendit.web.models import ApiToken, IdempotencyKey, User
from sendit.web.roles import Role
from sendit.web.tokens import Scope
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import accession_number, leaks_in
from tests.support.site import Site


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    shown.forget_counts()
    with web_settings():
        yield


@pytest.fixture
def done(site: Site) -> Site:
    """Two delivered studies, one with a broken file, and one in ERROR."""
    site.study(1, images=2)
    (site.study(2, images=1) / "note.txt").write_text("no image")
    site.study(3, images=2, patients=2)
    site.process()
    site.deliver()
    return site


class Program:
    """A client of the API with a token."""

    def __init__(self, user: User, *scopes: Scope) -> None:
        self._client = Client(raise_request_exception=False)
        self._headers = {"Authorization": f"Bearer {tokens.add(user, 'a program', scopes or Scope, 30)}"}

    def get(self, path: str) -> Any:
        return self._client.get(path, headers=self._headers)

    def post(self, path: str, body: object = None, key: str = "") -> Any:
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        return self._client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def keys_of(page: Any) -> list[int]:
    return [one["id"] for one in page["results"]]


# ------------------------------------------------------------------------------------------ lists


@pytest.mark.on_both_databases
def test_batches_have_the_seeds_names_and_the_uid_only_for_who_sees_identifiers(done: Site) -> None:
    page = Program(a_user(Role.OPERATOR)).get("/api/batches").json()
    assert (page["count"], page["next"], page["previous"], keys_of(page)) == (3, None, None, [3, 2, 1])
    one = page["results"][1]
    assert (one["uid"], one["status"], one["errors"]) == (accession_number(2), "DONE", ["NotDicom"])
    assert {"uid", "status", "add_date", "modify_date", "id", "image_set"} <= set(one)
    answer = Program(a_user(Role.VIEWER)).get("/api/batches")
    assert leaks_in(answer.content) == [] and answer.json()["results"][1]["uid"] is None
    assert all(len(one["add_date"]) == 4 for one in answer.json()["results"])


def test_pages_lead_on_and_back(done: Site) -> None:
    Batch.objects.bulk_create(Batch(folder_digest=f"x{n}", uid_digest=f"x{n}", state="QUEUE") for n in range(5))
    program = Program(a_user(Role.OPERATOR))
    seen, address = [], "/api/batches?limit=3"
    pages = []
    while address:
        page = program.get(address).json()
        pages.append(page)
        seen += keys_of(page)
        address = page["next"]
    assert seen == [8, 7, 6, 5, 4, 3, 2, 1]
    assert keys_of(program.get(pages[2]["previous"]).json()) == keys_of(pages[1])
    assert keys_of(program.get(pages[1]["previous"]).json()) == keys_of(pages[0])
    assert pages[0]["previous"] is None


def test_lists_are_filtered(done: Site) -> None:
    program = Program(a_user(Role.OPERATOR))
    for query, keys in (("status=ERROR", [3]), ("code=NotDicom", [2]), ("has_error=true", [3, 2]), ("status=x", [])):
        assert keys_of(program.get(f"/api/batches?{query}").json()) == keys, query


def test_images_are_listed_with_what_became_of_them(done: Site) -> None:
    program = Program(a_user(Role.VIEWER))
    page = program.get("/api/images?limit=2").json()
    assert (page["count"], len(page["results"])) == (6, 2)
    assert {"uid", "status", "add_date", "modify_date", "id", "batch"} <= set(page["results"][0])
    of_two = program.get("/api/images?batch=2").json()
    assert [(one["number"], one["status"], one["reason"]) for one in of_two["results"]] == [
        (2, "error", "NotDicom"), (1, "delivered", ""),
    ]  # fmt: skip
    batch = program.get("/api/batches/2").json()
    assert program.get(batch["image_set"]).json()["results"] == of_two["results"]


def test_one_batch_its_history_and_its_report(done: Site) -> None:
    program = Program(a_user(Role.OPERATOR))
    names = [event["name"] for event in program.get("/api/batches/2/history").json()]
    assert names[:2] == ["batch.found", "batch.queued"] and names[-1] == "batch.delivered"
    report = program.get("/api/batches/2/report").json()
    assert (report["found"], report["delivered"], report["filtered"], report["errored"]) == (2, 1, 0, 1)
    assert report["withheld"] == [{"outcome": "error", "reason": "NotDicom", "tag": "", "numbers": [2]}]


def test_metrics_have_the_seeds_keys(done: Site) -> None:
    found = Program(a_user(Role.OPERATOR)).get("/api/metrics").json()
    assert set(found) == {"timestamp", "data_root", "data_total", "batches"}
    assert {name: found["batches"][name] for name in ("SEEN", "SENT", "EMPTY", "QUEUE")} == {
        "SEEN": 3, "SENT": 2, "EMPTY": 0, "QUEUE": 0,
    }  # fmt: skip
    for address, days in (("/api/metrics/gb", 30), ("/api/metrics/gb/7", 7)):
        gb = Program(User.objects.get()).get(address).json()
        assert (gb["days"], gb["gb_per_day"] > 0) == (days, True)
    assert Program(a_user(Role.VIEWER)).get("/api/metrics").json()["data_root"] is None


# ------------------------------------------------------------------------------------------ operations


def test_retry_and_queue_name_the_person_in_the_history(done: Site) -> None:
    program = Program(a_user(Role.OPERATOR, name="grace"))
    assert program.post("/api/batches/3/retry").json() == {"batches": [3], "message": "queued again"}
    assert program.post("/api/batches/1/retry").json()["batches"] == []
    assert Event.objects.get(batch=3, name="batch.retried").actor == "grace"
    done.study(7)
    assert program.post("/api/queue").json()["queued"] == 1


def test_an_operation_under_a_key_is_done_once(done: Site) -> None:
    program = Program(a_user(Role.OPERATOR))
    done.study(7)
    first, second = program.post("/api/queue", key="a"), program.post("/api/queue", key="a")
    assert first.json() == second.json() == {"queued": 1, "being_written": 0}
    assert program.post("/api/queue", key="b").json()["queued"] == 0
    assert program.post("/api/batches/3/retry", key="a").json()["code"] == "KeyUsed"
    IdempotencyKey.objects.filter(key="b").update(status=None)
    assert program.post("/api/queue", key="b").json()["code"] == "UnderWay"
    IdempotencyKey.objects.update(at=timezone.now() - timedelta(days=2))
    done.study(8)
    assert program.post("/api/queue", key="a").json()["queued"] == 1


def test_a_refusal_is_repeated_as_a_problem(done: Site) -> None:
    program = Program(a_user(Role.OPERATOR))
    for _ in range(2):
        answer = program.post("/api/batches/99/retry", key="c")
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_the_warehouse_answers_questions_with_limits(done: Site) -> None:
    program = Program(a_user(Role.RESEARCHER))
    answer = program.post("/api/query", {"sql": "SELECT Modality, count(*) AS n FROM instance GROUP BY ALL"}).json()
    assert answer == {"columns": ["Modality", "n"], "rows": [["CT", 3]], "is_cut": False}
    many = program.post("/api/query", {"sql": "SELECT * FROM range(5000)"}).json()
    assert (len(many["rows"]), many["is_cut"]) == (1000, True)
    for sql in ("DROP TABLE instance", "SELECT nothing FROM instance", "", ") UNION SELECT 1 --", "SELECT 1; SELECT 2"):
        refused = program.post("/api/query", {"sql": sql})
        assert (refused.status_code, refused.json()["code"]) == (422, "BadQuery"), sql


def test_a_question_that_takes_too_long_is_ended(done: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sendit.web.questions.SECONDS", 0.2)
    endless = "SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(10000000) b"
    assert Program(a_user(Role.RESEARCHER)).post("/api/query", {"sql": endless}).json()["code"] == "BadQuery"


# ------------------------------------------------------------------------------------------ who may ask


def test_a_token_may_do_what_its_scopes_and_its_users_roles_both_allow(done: Site) -> None:
    operator = a_user(Role.OPERATOR)
    reads = Program(operator, Scope.READ)
    assert reads.get("/api/batches").status_code == 200
    assert reads.post("/api/queue").json()["code"] == "NotAllowed"
    assert Program(a_user(Role.VIEWER)).post("/api/queue").json()["code"] == "NotAllowed"
    assert Program(a_user(Role.RESEARCHER)).get("/api/batches").json()["code"] == "NotAllowed"
    assert reads.post("/api/batches").json()["code"] == "WrongMethod"


def test_without_a_valid_token_nothing_is_answered(done: Site) -> None:
    user = a_user(Role.OPERATOR)
    program = Program(user)
    for spoil in (
        lambda: ApiToken.objects.update(expires_at=timezone.now()),
        lambda: ApiToken.objects.update(expires_at=timezone.now() + timedelta(1), revoked_at=timezone.now()),
        lambda: (ApiToken.objects.update(revoked_at=None), User.objects.update(is_active=False)),
    ):
        spoil()
        answer = program.get("/api/batches")
        assert (answer.status_code, answer["WWW-Authenticate"], answer.json()["code"]) == (401, "Bearer", "NotSignedIn")


def test_a_session_may_read_the_api_but_no_form_can_make_it_do_something(done: Site) -> None:
    browser = signed_in(a_user(Role.OPERATOR))
    assert browser.get("/api/batches").status_code == 200
    assert browser.post("/api/queue").json()["code"] == "NotSignedIn"


def test_an_admin_makes_a_token_that_is_shown_once_and_revokes_it(site: Site) -> None:
    admin = signed_in(a_user(Role.ADMIN))
    wanted = {"name": "nightly", "user": a_user(Role.OPERATOR).name, "scopes": ["read"], "days": "10"}
    page = admin.post("/tokens", wanted).content.decode()
    token = page.partition(tokens.PREFIX)[2].partition("<")[0]
    headers = {"Authorization": f"Bearer {tokens.PREFIX}{token}"}
    assert Client().get("/api/batches", headers=headers).status_code == 200
    assert token not in admin.get("/tokens").content.decode()
    admin.post(f"/tokens/{ApiToken.objects.get().pk}/revoke")
    assert Client().get("/api/batches", headers=headers).status_code == 401
    for change in ({"name": ""}, {"user": "nobody"}, {"scopes": []}, {"days": "x"}):
        admin.post("/tokens", wanted | change)
    assert ApiToken.objects.count() == 1


def test_the_docs_page_loads_nothing_and_names_every_address(site: Site) -> None:
    browser = signed_in(a_user(Role.VIEWER))
    document = browser.get("/api/openapi.json").json()
    page = browser.get("/api/docs").content.decode()
    assert document["openapi"].startswith("3.1") and len(document["paths"]) >= 11
    assert all(path in page for path in document["paths"]) and "http" not in page.replace("HTTP", "")


def test_what_the_api_does_not_have_is_a_problem(site: Site) -> None:
    program = Program(a_user(Role.OPERATOR))
    for address, code in (
        ("/api/nothing", "NothingHere"),
        ("/api/batches/9", "NothingHere"),
        ("/api/batches/x", "NotAsDescribed"),
        ("/api/batches?limit=0", "NotAsDescribed"),
        ("/api/metrics/gb/0", "NotAsDescribed"),
    ):
        answer = program.get(address)
        assert (answer.json()["code"], answer["Content-Type"]) == (code, "application/problem+json"), address


def test_a_program_asks_for_studies_and_stops_and_nothing_of_them_is_answered(site: Site) -> None:
    (site.var / "peers.toml").write_text(
        '[peers.pacs]\ncalled = "SENDIT"\ncalling = "PACS"\naddresses = ["127.0.0.1"]\n'
        'retrieve_from = "https://pacs.example.org/dicom-web"\n'
    )
    program = Program(a_user(Role.OPERATOR))
    wish = {"peer": "pacs", "studies": [{"AccessionNumber": accession_number(1)}], "hours": "20-6", "per_hour": 30}
    answer = program.post("/api/pulls", wish, key="once")
    again = program.post("/api/pulls", wish, key="once")
    assert answer.status_code == 200 and again.json() == answer.json()
    key = answer.json()["id"]
    assert (answer.json()["wanted"], answer.json()["waiting"], answer.json()["state"]) == (1, 1, "running")
    assert program.post(f"/api/pulls/{key}/stop").json()["state"] == "stopped"
    assert program.post(f"/api/pulls/{key}/go-on").json()["state"] == "running"
    (listed,) = program.get("/api/pulls").json()
    assert listed == program.get(f"/api/pulls/{key}").json()
    kept = repr(list(IdempotencyKey.objects.values()))
    assert leaks_in(repr(listed)) == leaks_in(answer.content) == leaks_in(kept) == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"peer": "nobody"}, 404),
        ({"studies": []}, 422),
        ({"studies": [{"PatientName": "x"}]}, 422),
        ({"studies": [{"AccessionNumber": "*"}]}, 422),
        ({"hours": "late"}, 422),
        ({"per_hour": -1}, 422),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(site: Site, change: dict[str, object], status: int) -> None:
    (site.var / "peers.toml").write_text(
        '[peers.pacs]\ncalled = "SENDIT"\ncalling = "PACS"\naddresses = ["127.0.0.1"]\n'
        'retrieve_from = "127.0.0.1:104"\n'
    )
    wish: dict[str, object] = {"peer": "pacs", "studies": [{"AccessionNumber": "A1"}]}
    assert Program(a_user(Role.OPERATOR)).post("/api/pulls", wish | change).status_code == status


def test_a_program_sees_what_waits_decides_and_is_told_of_an_earlier_decision(site: Site) -> None:
    site.set(REVIEW="all")
    site.study(1, images=3)
    site.process()
    program = Program(a_user(Role.REVIEWER, name="rae"))
    waiting = program.get("/api/review").json()
    assert [(one["batch"], one["number"]) for one in waiting] == [(1, 1), (1, 2), (1, 3)]
    wish = {"do": "release", "images": [{"batch": 1, "number": 1}], "reason": "harmless", "masks": [[0, 0, 8, 8]]}
    assert program.post("/api/review", wish).json()[0]["decided"] == [1]
    wish |= {"do": "reject", "images": [{"batch": 1, "number": number} for number in (1, 2)], "masks": None}
    (told,) = program.post("/api/review", wish).json()
    assert (told["decided"], told["too_late"], told["forbidden"]) == ([2], [1], [])
    assert [one["number"] for one in program.get("/api/review").json()] == [3]
    assert program.post("/api/review", wish | {"masks": [[1, 2, 3]]}).status_code == 422
    assert program.post("/api/review", wish | {"images": [{"batch": 99, "number": 1}]}).status_code == 404


def test_a_program_pauses_delivery_and_lists_the_projects(site: Site) -> None:
    program = Program(a_user(Role.OPERATOR))
    assert [one["name"] for one in program.get("/api/projects").json()] == ["default"]
    assert program.post("/api/delivery/pause", {}).json() == {"is_paused": True, "is_changed": True}
    assert program.post("/api/delivery/pause", {}).json() == {"is_paused": True, "is_changed": False}
    assert program.post("/api/delivery/resume", {}).json() == {"is_paused": False, "is_changed": True}
    assert program.post("/api/delivery/pause", {"project": "default"}).json()["is_changed"]
    assert program.post("/api/delivery/pause", {"project": "nothing"}).status_code == 404
