"""The identity service that sendit serves: DASHER's API (WIRE 1), in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError

from sendit.errors import CODES
from sendit.identity_service import audit, views
from sendit.identity_service.models import Audit, Client, TokenPair
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest
from sendit.projects import composition
from tests.support.phantoms import DIGITS
from tests.support.site import Site

MRN, ACCESSION = "Stanford MRN", "DCM Accession #"
BORN, DONE = "1933-07-07T00:00:00Z", "2010-02-04T11:50:00Z"


def patient(identifier: str = f"{DIGITS}1", *accessions: str, **more: object) -> dict[str, Any]:
    items = [{"id": accession, "id_source": ACCESSION, "id_timestamp": DONE} for accession in accessions]
    return {"id": identifier, "id_source": MRN, "id_timestamp": BORN, "items": items, **more}


def question(*patients: dict[str, Any]) -> dict[str, Any]:
    return {"identifiers": list(patients)}


@pytest.mark.on_both_databases
def test_it_answers_in_dashers_form_what_the_local_service_would(api: Any, site: Site) -> None:
    response = api.ask(question(patient(f"{DIGITS}-1", f"{DIGITS}7")))
    assert response.status_code == 200
    item = IdentityItem(Phi(f"{DIGITS}7"), ACCESSION, Phi(DONE))
    local = site.ports.identity_service.identify(
        IdentityRequest("irb12345", Phi(f"{DIGITS}1"), MRN, Phi(BORN), (item,))
    )
    assert response.json() == {
        "results": [
            {
                "id": f"{DIGITS}-1",
                "id_source": MRN,
                "suid": local.entity.suid,
                "jitter": local.entity.jitter,
                "jittered_timestamp": local.entity.timestamp,
                "items": [
                    {
                        "id": f"{DIGITS}7",
                        "id_source": ACCESSION,
                        "suid": local.items[0].suid,
                        "jitter": local.entity.jitter,
                        "jittered_timestamp": local.items[0].timestamp,
                    }
                ],
            }
        ]
    }


def test_without_a_timestamp_there_is_none_in_the_answer(api: Any) -> None:
    (result,) = api.ask(question({"id": "1", "id_source": MRN})).json()["results"]
    assert set(result) == {"id", "id_source", "suid", "jitter", "items"} and result["items"] == []


def test_several_patients_are_answered_in_their_order(api: Any) -> None:
    results = api.ask(question(patient("1", "7"), patient("2", "8", "9"))).json()["results"]
    assert [(one["id"], len(one["items"])) for one in results] == [("1", 1), ("2", 2)]
    assert results[0]["suid"] != results[1]["suid"]


def test_custom_fields_and_whatever_else_is_sent_are_passed_over(api: Any) -> None:
    more = {"custom_fields": [{"key": "sex", "value": "F"}], "new": 1}
    plain, full = (api.ask(question(patient("1", "7", **fields))).json() for fields in ({}, more))
    assert plain == full


def test_a_collections_case_means_nothing(api: Any) -> None:
    paths = ("/identifiers/api/v1/uid/irb12345", "/identifiers/api/v1/uid/IRB12345")
    assert len({str(api.ask(question(patient()), path).json()) for path in paths}) == 1


def test_a_thousand_studies_are_taken_and_one_more_is_not(api: Any) -> None:
    accessions = [str(number) for number in range(1_001)]
    assert len(api.ask(question(patient("1", *accessions[:-1]))).json()["results"][0]["items"]) == 1_000
    assert api.ask(question(patient("1", *accessions))).status_code == 400


@pytest.mark.parametrize(
    "content",
    [
        b" ",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        [],
        {},
        {"identifiers": {}},
        question(),
        {"identifiers": [f"{DIGITS}1"]},
        question(*[patient("1")] * 101),
        question({"id_source": MRN}),
        question(patient("")),
        question(patient(" - ")),
        question(patient(DIGITS * 30)),
        question(patient("1", id=7337001973)),
        question(patient("1", id_source="")),
        question(patient("1", id_timestamp=f"{DIGITS}")),
        question(patient("1", id_timestamp=19330707)),
        question(patient("1", items={})),
        question(patient("1", items=[f"{DIGITS}7"])),
        question(patient("1", " ")),
        json.dumps(question(patient("1", id=f"{DIGITS}\ud800"))).encode(),
        json.dumps(question(patient("1", id_source="\udfff"))).encode(),
    ],
    ids=lambda content: str(content)[:20],
)
def test_a_question_that_is_none_is_refused_and_not_quoted(api: Any, content: object) -> None:
    response = api.ask(content)
    assert (response.status_code, response.json()["error"]) == (400, "BadIdentityRequest")


@pytest.mark.parametrize("study", ["a%20b", "%2e%2e", ".x", "x" * 65, "ü", f"{DIGITS}%5E"])
def test_what_is_no_collections_name_is_refused(api: Any, study: str) -> None:
    assert api.ask(question(patient()), f"/identifiers/api/v1/uid/{study}").status_code == 400


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic {0}", "{0}", "Bearer x{0}", "Bearer {1}"])
def test_who_shows_no_access_token_is_told_nothing(api: Any, authorization: str) -> None:
    shown = authorization.format(api.tokens.access, api.tokens.refresh)
    response = api.post(api.UID, question(patient()), authorization=shown)
    assert (response.status_code, response.json()["error"]) == (401, "UnknownTokens")
    assert response["WWW-Authenticate"] == "Bearer"


def test_the_schemes_case_means_nothing(api: Any) -> None:
    assert api.post(api.UID, question(patient()), authorization=f"bearer {api.tokens.access}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/identifiers/api/v1/uid/", 404),
        ("POST", f"/identifiers/api/v1/uid/a/{DIGITS}", 404),
        ("GET", "/token/api/v1/refresh", 405),
        ("PUT", "/token/api/v1/refresh", 405),
    ],
)
def test_other_calls_are_refused_in_json(api: Any, method: str, path: str, status: int) -> None:
    response = api.call(method, path)
    assert response.status_code == status
    assert (status != 405) or response["Allow"] == "POST"


def test_only_json_is_taken_and_only_so_much(api: Any) -> None:
    assert api.ask(b"id=1", kind="application/x-www-form-urlencoded").status_code == 415
    assert api.ask(b" " * (views.MOST_BYTES + 1)).status_code == 413


def test_every_code_that_it_answers_with_is_in_the_table() -> None:
    assert set(views.STATUSES) <= set(CODES)


# ------------------------------------------------------------------------------------------------- the service itself


def test_it_says_that_it_is_well(api: Any) -> None:
    assert api.call("GET", "/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/healthz", "/identifiers/api/v1/uid/irb12345", "/token/api/v1/refresh"])
def test_a_database_that_is_away_is_a_reason_to_ask_again(api: Any, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    def away(*arguments: object, **options: object) -> None:
        raise OperationalError(f"connection of {DIGITS}")

    for manager in (Client.objects, TokenPair.objects):
        for name in ("filter", "exists"):
            monkeypatch.setattr(manager, name, away)
    response = api.call("GET", path) if path == "/healthz" else api.ask({"refreshToken": "x"}, path)
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response.json()["error"] == "DatabaseDown"


def test_without_its_audit_row_nothing_is_answered(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(Audit.objects, "create", full)
    assert api.ask(question(patient())).status_code == 503


def test_with_another_key_it_does_not_answer_its_old_clients(api: Any, site: Site) -> None:
    before = api.ask(question(patient())).json()
    path = site.var / "secrets" / "pseudonym.key"
    key = path.read_bytes()
    path.write_bytes(b"another key, from a restored backup")
    response = api.ask(question(patient()))
    assert (response.status_code, response.json()["error"]) == (503, "BadKey")
    path.write_bytes(key)
    assert api.ask(question(patient())).json() == before


def test_with_other_shifts_it_does_not_answer_its_old_clients(api: Any, site: Site) -> None:
    site.set(MAX_DATE_SHIFT_DAYS=30)
    assert api.ask(question(patient())).json()["error"] == "BadKey"


def test_what_nobody_expected_is_logged_by_its_place_and_not_told(
    api: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError(f"Zqcanary {DIGITS}")

    monkeypatch.setattr(composition, "local_identity_service", fail)
    caplog.set_level("INFO", "sendit")
    response = api.ask(question(patient()))
    assert (response.status_code, response.json()["error"]) == (500, "UnexpectedFailure")
    (record,) = [record for record in caplog.records if record.message == "identity.failed"]
    assert record.fields["failure"] == "ZeroDivisionError"  # type: ignore[attr-defined]
    assert Audit.objects.get().code == "UnexpectedFailure"


# ------------------------------------------------------------------------------------------------- the audit


def rows() -> list[tuple[Any, ...]]:
    return list(
        Audit.objects.order_by("pk").values_list("client__name", "call", "study", "patients", "studies", "code")
    )


@pytest.mark.on_both_databases
def test_every_request_has_its_row_with_who_and_how_many_and_never_whom(api: Any, site: Site) -> None:
    api.ask(question(patient("1", "7", "8"), patient("2", "9")), "/identifiers/api/v1/uid/IRB12345")
    api.ask(question(patient("")))
    api.renewed(api.tokens.refresh)
    assert rows() == [
        ("gateway", "uid", "irb12345", 2, 3, ""),
        ("gateway", "uid", "", 0, 0, "BadIdentityRequest"),
        ("gateway", "tokens", "", 0, 0, ""),
    ]


@pytest.mark.on_both_databases
def test_requests_of_nobody_are_counted_by_the_minute(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = audit.timezone.now()
    monkeypatch.setattr(audit.timezone, "now", lambda: moment)
    for _ in range(5):
        api.ask(question(patient()), access="stolen")
    api.renew("stolen")
    assert [(*row, one.requests) for row, one in zip(rows(), Audit.objects.order_by("pk"), strict=True)] == [
        (None, "uid", "", 0, 0, "UnknownTokens", 5),
        (None, "tokens", "", 0, 0, "UnknownTokens", 1),
    ]


def test_no_token_is_in_the_database(api: Any, site: Site) -> None:
    new = api.renewed(api.tokens.refresh)
    content = b"".join(path.read_bytes() for path in site.var.glob("sendit.sqlite3*"))
    for token in (api.tokens.access, api.tokens.refresh, new.access, new.refresh):
        assert token.encode() not in content
