"""Pages: what each role is shown, what the buttons do, how one signs in; a viewer learns nothing about a person."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from sendit.pipeline.record.models import Batch, Event
from sendit.web import accounts
from sendit.web.models import FailedSignIn, OneTimeLink, User
from sendit.web.roles import Role
from tests.support.pages import PASSWORD, a_user, signed_in, web_settings
from tests.support.phantoms import accession_number, leaks_in
from tests.support.site import Site

TRUE_TIME = re.compile(r"20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d")


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    with web_settings():
        yield


@pytest.fixture
def done(site: Site) -> Site:
    """Two delivered studies, one with a broken file, and one in ERROR."""
    site.study(1, images=2)
    (site.study(2, images=1) / "zqcanary.txt").write_text("no image")
    site.study(3, images=2, patients=2)
    site.process()
    site.deliver()
    return site


def test_a_page_for_another_host_is_refused_but_monitoring_may_call_a_process_by_any_name(site: Site) -> None:
    browser = signed_in(a_user(Role.OPERATOR), SERVER_NAME="rebound.example")
    assert browser.get("/overview").status_code == browser.get("/sign-in").status_code == 400
    assert browser.get("/healthz").status_code == 200


def text_of(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined,no-any-return]


PAGES_OF_BATCHES = (
    "/overview",
    "/batches",
    "/batches/1",
    "/batches/2",
    "/batches/3",
    "/batches.csv",
    "/batches?code=NotDicom",
)


@pytest.mark.parametrize("address", PAGES_OF_BATCHES)
def test_a_viewer_sees_no_identifier_and_of_times_the_year(done: Site, address: str) -> None:
    answer = signed_in(a_user(Role.VIEWER)).get(address)
    assert answer.status_code == 200
    assert leaks_in(answer.content) == leaks_in(str(answer.headers)) == []
    assert TRUE_TIME.search(text_of(answer)) is None


@pytest.mark.parametrize("address", ["/batches", "/batches/2", "/batches.csv"])
def test_an_operator_sees_accession_numbers_and_times(done: Site, address: str) -> None:
    shown = text_of(signed_in(a_user(Role.OPERATOR)).get(address))
    assert accession_number(2) in shown and TRUE_TIME.search(shown)


def test_files_that_were_not_delivered_are_named_to_an_operator_and_numbered_to_a_viewer(done: Site) -> None:
    assert "zqcanary.txt" in text_of(signed_in(a_user(Role.OPERATOR)).get("/batches/2"))
    assert "file 2" in text_of(signed_in(a_user(Role.VIEWER)).get("/batches/2"))


def test_search_finds_by_accession_number_for_an_operator_and_not_for_a_viewer(done: Site) -> None:
    operator, viewer = signed_in(a_user(Role.OPERATOR)), signed_in(a_user(Role.VIEWER))
    pseudonym = Batch.objects.get(pk=2).item_suid
    for browser, wanted, found in (
        (operator, accession_number(2), "/batches/2"),
        (operator, pseudonym, "/batches/2"),
        (viewer, accession_number(2), "/batches"),
        (viewer, f"uid:{accession_number(2)}", "/batches"),
        (viewer, pseudonym, "/batches/2"),
        (viewer, "2", "/batches/2"),
    ):
        assert browser.post("/batches/search", {"wanted": wanted})["Location"] == found, wanted


def test_a_viewer_cannot_ask_when_a_batch_was_found(done: Site) -> None:
    tomorrow = (timezone.now() + timedelta(days=2)).date()
    for role, rows in ((Role.OPERATOR, 0), (Role.VIEWER, 3)):
        shown = text_of(signed_in(a_user(role)).get(f"/batches.csv?since={tomorrow}"))
        assert len(list(csv.DictReader(io.StringIO(shown)))) == rows, role


def test_the_list_is_filtered_and_paged(done: Site) -> None:
    browser = signed_in(a_user(Role.OPERATOR))
    today = timezone.now().date()
    for query, keys in (
        ("state=ERROR", {"3"}),
        ("code=NotDicom", {"2"}),
        ("has_error=1", {"2", "3"}),
        ("project=x", set()),
        ("state=nonsense&code=nonsense", {"1", "2", "3"}),
        (f"since={today}", {"1", "2", "3"}),
        ("until=1999-01-01", set()),
    ):
        rows = csv.DictReader(io.StringIO(text_of(browser.get(f"/batches.csv?{query}"))))
        assert {row["batch"] for row in rows} == keys, query
    Batch.objects.bulk_create(
        Batch(folder_digest=f"x{number}", uid_digest=f"x{number}", state="QUEUE") for number in range(60)
    )
    first = text_of(browser.get("/batches"))
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    assert len(re.findall(r'<a href="/batches/\d+">', text_of(browser.get(older)))) == 13


def test_a_page_that_has_not_changed_is_not_sent_again(done: Site) -> None:
    browser = signed_in(a_user(Role.OPERATOR))
    first = browser.get("/batches", HTTP_HX_REQUEST="true", HTTP_X_SENDIT_POLL="1")
    version = first["ETag"]
    again = {"HTTP_HX_REQUEST": "true", "HTTP_IF_NONE_MATCH": version}
    assert (
        browser.get("/batches", **again).status_code,
        f'data-poll="{version}"' in text_of(first).replace("&quot;", '"'),
    ) == (304, True)
    Batch.objects.filter(pk=1).update(found=9, delivered=9)
    assert browser.get("/batches", **again).status_code == 200


# ------------------------------------------------------------------------------------------ what the buttons do


def test_retry_is_done_and_the_history_names_the_person(done: Site) -> None:
    browser = signed_in(a_user(Role.OPERATOR, name="grace"))
    assert "Retry" in text_of(browser.get("/batches/3"))
    assert "is queued again" in text_of(browser.post("/batches/3/retry", follow=True))
    assert Batch.objects.get(pk=3).state == "QUEUE"
    assert Event.objects.filter(batch=3, name="batch.retried").get().actor == "grace"
    assert "cannot be retried" in text_of(browser.post("/batches/1/retry", follow=True))


def test_all_of_one_cause_are_retried_at_once(done: Site) -> None:
    browser = signed_in(a_user(Role.OPERATOR))
    assert "1 batch with MixedPatients queued again" in text_of(
        browser.post("/retry-code", {"code": "MixedPatients"}, follow=True)
    )
    assert browser.post("/retry-code", {"code": "Nonsense"}).status_code == 404
    assert Batch.objects.get(pk=3).state == "QUEUE"


def test_new_folders_are_queued_by_a_button(done: Site) -> None:
    done.study(7)
    shown = text_of(signed_in(a_user(Role.OPERATOR, name="grace")).post("/queue", follow=True))
    assert "1 new folder queued. No watcher runs" in shown
    assert Event.objects.filter(name="batch.found").latest("pk").actor == "grace"


def test_an_error_of_a_button_is_said_on_the_page(done: Site) -> None:
    done.set(DATA_BASE=done.data / "missing")
    assert "NoSuchFolder" in text_of(signed_in(a_user(Role.OPERATOR)).post("/queue", follow=True))


def test_where_a_service_manager_keeps_the_watcher_the_pages_have_no_switch(done: Site) -> None:
    done.set(RUNNER="celery", BROKER="redis://127.0.0.1:1/0")
    browser = signed_in(a_user(Role.OPERATOR))
    assert "Start the watcher" not in text_of(browser.get("/overview"))
    assert browser.post("/watcher/stop").status_code == browser.post("/watcher/start").status_code == 404


# ------------------------------------------------------------------------------------------ signing in


def test_the_first_admin_is_made_by_a_link_that_works_once(site: Site) -> None:
    address = f"/welcome/{accounts.new_link(None)}"
    chosen = {"name": "ada", "roles": ["operator"], "password": PASSWORD, "again": PASSWORD}
    browser = Client()
    assert browser.get(address).status_code == 200
    for wrong in ({"again": "other"}, {"password": "short", "again": "short"}, {"name": "a b"}):
        assert browser.post(address, chosen | wrong).status_code == 400
    assert not User.objects.exists()
    assert browser.post(address, chosen)["Location"] == "/"
    assert browser.get("/overview").status_code == 200
    assert User.objects.get().roles == {Role.ADMIN, Role.OPERATOR}
    assert Client().get(address).status_code == 404


def test_a_link_for_the_first_admin_ends_when_there_is_one_and_any_link_ends_in_time(site: Site) -> None:
    first = accounts.new_link(None)
    user = a_user(Role.ADMIN)
    second = accounts.new_link(user)
    assert Client().get(f"/welcome/{first}").status_code == 404
    assert Client().get(f"/welcome/{second}").status_code == 200
    OneTimeLink.objects.update(expires_at=timezone.now())
    assert Client().get(f"/welcome/{second}").status_code == 404


def test_signing_in_leads_to_the_page_that_was_asked_for_and_nowhere_else(site: Site) -> None:
    a_user(Role.OPERATOR, name="grace")
    for wanted, leads_to in (("/batches", "/batches"), ("https://stranger.example/", "/"), ("//stranger.example", "/")):
        sent = {"name": "grace", "password": PASSWORD, "next": wanted}
        assert Client().post("/sign-in", sent)["Location"] == leads_to
    assert Client().get("/batches")["Location"] == "/sign-in?next=%2Fbatches"


def test_five_wrong_passwords_lock_a_name_for_a_while(site: Site) -> None:
    a_user(Role.OPERATOR, name="grace")
    wrong, right = ({"name": "grace", "password": word} for word in ("wrong", PASSWORD))
    assert [Client().post("/sign-in", wrong).status_code for _ in range(6)] == [403] * 5 + [429]
    assert Client().post("/sign-in", right | {"name": "GRACE"}).status_code == 429
    FailedSignIn.objects.update(at=timezone.now() - timedelta(minutes=16))
    assert Client().post("/sign-in", right).status_code == 302


def test_fifty_wrong_passwords_lock_an_address(site: Site) -> None:
    for number in range(50):
        Client().post("/sign-in", {"name": f"user{number}", "password": "wrong"})
    a_user(Role.OPERATOR, name="grace")
    assert Client().post("/sign-in", {"name": "grace", "password": PASSWORD}).status_code == 429


@pytest.mark.parametrize(("key", "minutes"), [("seen", 61), ("began", 13 * 60)])
def test_a_session_ends(site: Site, key: str, minutes: int) -> None:
    browser = signed_in(a_user(Role.OPERATOR))
    assert browser.get("/overview").status_code == 200
    session = browser.session
    session[key] -= minutes * 60
    session.save()
    assert browser.get("/overview")["Location"].startswith("/sign-in")


def test_a_page_that_asks_for_news_by_itself_keeps_no_session_alive(site: Site) -> None:
    browser = signed_in(a_user(Role.OPERATOR))
    browser.get("/overview")
    session = browser.session
    session["seen"] = before = session["seen"] - 600
    session.save()
    browser.get("/overview", HTTP_HX_REQUEST="true", HTTP_X_SENDIT_POLL="1")
    assert browser.session["seen"] == before
    browser.get("/overview")
    assert browser.session["seen"] > before


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(site: Site) -> None:
    user = a_user(Role.OPERATOR)
    here, elsewhere = signed_in(user), signed_in(user)
    wanted = {"old": PASSWORD, "password": f"{PASSWORD}!", "again": f"{PASSWORD}!"}
    assert here.post("/account", wanted | {"old": "wrong"}).status_code == 400
    assert here.post("/account", wanted).status_code == 200
    assert (here.get("/overview").status_code, elsewhere.get("/overview").status_code) == (200, 302)


# ------------------------------------------------------------------------------------------ users


def test_an_admin_adds_a_user_who_chooses_the_password(site: Site) -> None:
    admin = signed_in(a_user(Role.ADMIN))
    shown = text_of(admin.post("/users", {"name": "grace", "roles": ["viewer"]}))
    (address,) = re.findall(r"http://testserver(/welcome/[\w-]+)", shown)
    browser = Client()
    assert browser.post(address, {"password": PASSWORD, "again": PASSWORD})["Location"] == "/"
    assert browser.get("/overview").status_code == 200
    assert admin.post("/users", {"name": "grace", "roles": ["viewer"]}).status_code == 302
    assert User.objects.count() == 2


def test_roles_that_would_tell_the_date_shift_are_not_given_and_the_last_admin_stays(site: Site) -> None:
    user = a_user(Role.ADMIN, name="ada")
    admin = signed_in(user)
    for roles, said in ((["admin", "viewer", "privacy"], "RolesCombined"), (["viewer"], "LastAdmin")):
        assert said in text_of(admin.post(f"/users/{user.pk}", {"do": "roles", "roles": roles}, follow=True))
    assert User.objects.get().roles == {Role.ADMIN}
    admin.post(f"/users/{user.pk}", {"do": "disable"})
    assert User.objects.get().is_active


def test_the_command_adds_lists_and_disables(site: Site) -> None:
    assert "/welcome/" in site.call("user", "add", "grace", "--role", "operator")
    assert "has not followed the link yet" in site.call("user", "list")
    assert "these roles now: reviewer" in site.call("user", "add", "grace", "--role", "reviewer")
    assert "may no longer sign in" in site.call("user", "disable", "grace")
    assert '"state": "disabled"' in site.call("user", "list", "--json")
    assert "may sign in again" in site.call("user", "enable", "grace")
