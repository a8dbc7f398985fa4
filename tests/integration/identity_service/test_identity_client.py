"""`identity_client`: who may ask, told by what the shell sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sendit.client_secrets import SecretsFile
from sendit.identity_service.models import Client
from tests.support.shell import Ran, run
from tests.support.site import Site

URL = "https://identity.example.org"
ONE = {"identifiers": [{"id": "1", "id_source": "Stanford MRN", "items": [{"id": "2", "id_source": "A"}]}]}


def give(action: str, name: str, out: Path, url: str = URL) -> Ran:
    return run("identity_client", action, name, "--url", url, "--out", str(out))


def test_a_new_client_may_ask_with_the_secrets_that_are_written_for_it(api: Any, tmp_path: Path) -> None:
    ran = give("add", "ward-7", tmp_path / "ward-7.json", f"{URL}/")
    assert ran.code == 0 and f"SENDIT_IDENTITY_URL={URL}/identifiers/api" in ran.out
    fields = json.loads((tmp_path / "ward-7.json").read_text())
    assert set(fields) == {"accessToken", "refreshToken", "client_id", "token_uri"}
    assert (fields["client_id"], fields["token_uri"]) == ("ward-7", f"{URL}/token/api/v1/refresh")
    assert (tmp_path / "ward-7.json").stat().st_mode & 0o777 == 0o600
    assert fields["accessToken"] not in ran.out and fields["refreshToken"] not in ran.out
    assert api.ask(ONE, access=fields["accessToken"]).status_code == 200


def test_the_secrets_are_here_where_no_other_place_is_said(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("identity_client", "add", "ward-7", "--url", URL)
    assert SecretsFile(tmp_path / "ward-7.client-secrets.json").read().client_id == "ward-7"


@pytest.mark.parametrize(
    "arguments",
    [
        ("add",),
        ("add", "ward-7"),
        ("add", "ward-7", "--url", "http://identity.example.org"),
        ("add", "a b", "--url", URL),
        ("add", "../x", "--url", URL),
        ("add", "x" * 65, "--url", URL),
        ("add", "gateway", "--url", URL),
        ("renew", "ward-7", "--url", URL),
        ("revoke", "ward-7"),
        ("revoke",),
    ],
)
def test_wrong_use_changes_nothing(api: Any, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    action, *rest = arguments
    out = [] if action == "revoke" else ["--out", str(tmp_path / "x.json")]
    ran = run("identity_client", action, *rest, *out)
    assert ran.code == 2 and ran.err
    assert not (tmp_path / "x.json").exists() and Client.objects.count() == 1


def test_secrets_that_are_there_are_not_overwritten_and_no_client_is_made(api: Any, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("something")
    assert give("add", "ward-7", tmp_path / "x.json").code == 2
    assert (tmp_path / "x.json").read_text() == "something" and Client.objects.count() == 1


def test_a_place_that_cannot_be_written_makes_no_client(api: Any, tmp_path: Path) -> None:
    ran = give("add", "ward-7", tmp_path / "nowhere" / "x.json")
    assert ran.code == 1 and "DiskRefused" in ran.err and str(tmp_path) not in ran.err
    assert Client.objects.count() == 1


def test_renewed_secrets_take_the_place_of_all_before(api: Any, tmp_path: Path) -> None:
    give("renew", "gateway", tmp_path / "new.json")
    new = SecretsFile(tmp_path / "new.json").read().tokens
    assert [api.ask(ONE, access=access).status_code for access in (new.access, api.tokens.access)] == [200, 401]


def test_a_revoked_client_may_not_ask_until_it_is_renewed(api: Any, tmp_path: Path) -> None:
    assert run("identity_client", "revoke", "gateway").code == 0
    assert api.ask(ONE).status_code == 401 and api.renew(api.tokens.refresh).status_code == 401
    listed = run("identity_client", "list")
    assert listed.code == 0 and "by the operator" in listed.out
    give("renew", "gateway", tmp_path / "new.json")
    assert api.ask(ONE, access=SecretsFile(tmp_path / "new.json").read().tokens.access).status_code == 200
    assert "may ask" in run("identity_client", "list").out


def test_the_list_says_who_asked_how_much_and_what_was_refused(api: Any) -> None:
    for _ in range(3):
        api.ask(ONE)
    api.ask({})
    api.ask(ONE, access="stolen")
    *_, client, nobody = run("identity_client", "list").lines
    name, _, _, answered, patients, studies, refused, state = client.split(maxsplit=7)
    assert (name, answered, patients, studies, refused, state) == ("gateway", "3", "3", "3", "1", "may ask")
    assert nobody.startswith("Refused without a client's token: 1 request.")


def test_the_list_is_also_json(api: Any) -> None:
    api.ask(ONE)
    gateway, nobody = map(json.loads, run("identity_client", "list", "--json").lines)
    assert (gateway["client"], gateway["answered"], gateway["state"]) == ("gateway", 1, "may ask")
    assert nobody["client"] is None and nobody["refused"] == 0 and nobody["last_at"] is None


def test_a_list_of_nobody_says_so(site: Site) -> None:
    assert run("identity_client", "list").lines[0] == "There is no client."


def test_a_stolen_token_is_seen_in_the_list_and_its_exit_code(api: Any) -> None:
    new = api.renewed(api.tokens.refresh)
    api.ask(ONE, access=new.access)
    api.renew(api.tokens.refresh)
    ran = run("identity_client", "list")
    assert ran.code == 1 and "somebody has a copy" in ran.out
