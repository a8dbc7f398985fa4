"""A role in a project opens the pages that show what is of projects, for that project, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.test import Client

from sendit.pipeline.record.models import Batch
from sendit.web import tokens
from sendit.web.access import ACCESS
from sendit.web.models import User
from sendit.web.roles import Role
from sendit.web.tokens import Scope
from tests.integration.web.test_access import addresses
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import accession_number
from tests.support.site import Site

PEOPLE = """
[people]
viewer = ["vera"]
operator = ["otto", "mara"]
reviewer = ["rita"]
researcher = ["rosa"]
"""


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    with web_settings():
        yield


@pytest.fixture
def batches(site: Site) -> dict[str, int]:
    """A batch of each of two projects, by the project."""
    site.project("trial", f'title = "x"{PEOPLE}')
    site.project("heart", '[people]\nviewer = ["mara"]\n')
    site.study(1, images=1)
    site.process()
    return dict(Batch.objects.values_list("project", "pk"))


def member(name: str, *roles: Role) -> Client:
    return signed_in(a_user(*roles, name=name))


def shown(browser: Client) -> set[str]:
    """The projects whose batches the list has."""
    lines = browser.get("/batches.csv").content.decode().splitlines()
    return {cell for line in lines[1:] for cell in line.split(",") if cell in ("default", "trial", "heart")}


@pytest.mark.parametrize("name", ["vera", "otto", "rita"])
def test_a_member_sees_the_batches_of_the_project_alone(batches: dict[str, int], name: str) -> None:
    browser = member(name)
    assert shown(browser) == {"trial"}
    assert f"/batches/{batches['default']}" not in browser.get("/batches?project=default").content.decode()
    assert browser.get(f"/batches/{batches['trial']}").status_code == 200
    for other in ("default", "heart"):
        for page in ("", "/images", "/images/1", "/images/1/output.png", "/images/1/header", "/images/1/original.png"):
            assert browser.get(f"/batches/{batches[other]}{page}").status_code == 403, (other, page)


def test_what_is_the_sites_is_closed_to_a_member(batches: dict[str, int]) -> None:
    """All that the table does not say to be of projects, whatever the role."""
    user = a_user(name="otto")
    for name, address in addresses().items():
        row = ACCESS[name]
        if row.is_public or row.by_project or row.scope is not None:
            continue
        for method in ("GET", "POST"):
            if row.has(method):
                assert signed_in(user).generic(method, address).status_code == 403, (method, name)


def test_an_operator_of_a_project_retries_its_batches_and_no_others(batches: dict[str, int]) -> None:
    Batch.objects.update(state="ERROR")
    browser = member("otto")
    assert browser.post(f"/batches/{batches['heart']}/retry").status_code == 403
    assert browser.post(f"/batches/{batches['trial']}/retry").status_code == 302
    assert dict(Batch.objects.values_list("project", "state")) == {
        "default": "ERROR",
        "heart": "ERROR",
        "trial": "QUEUE",
    }


def test_a_viewer_of_a_project_may_not_do_what_its_operator_may(batches: dict[str, int]) -> None:
    assert member("vera").post(f"/batches/{batches['trial']}/retry").status_code == 403


def test_who_has_other_roles_in_two_projects_has_in_each_its_own(batches: dict[str, int]) -> None:
    """Operator in one, viewer in the other: a list of both shows no accession numbers."""
    browser = member("mara")
    number = accession_number(1)
    assert shown(browser) == {"trial", "heart"}
    assert number in browser.get(f"/batches/{batches['trial']}").content.decode()
    assert number not in browser.get(f"/batches/{batches['heart']}").content.decode()
    assert number not in browser.get("/batches").content.decode()
    assert browser.post(f"/batches/{batches['heart']}/retry").status_code == 403


def test_a_search_finds_nothing_of_another_project(batches: dict[str, int]) -> None:
    browser = member("otto")
    answer = browser.post("/batches/search", {"wanted": accession_number(1)})
    assert answer.headers["Location"] == f"/batches/{batches['trial']}"
    other = browser.post("/batches/search", {"wanted": f"pk:{batches['heart']}"}, follow=True)
    assert "No batch is known by that." in other.content.decode()


def test_a_role_of_the_site_reaches_over_all_projects(batches: dict[str, int]) -> None:
    assert shown(member("anna", Role.VIEWER)) == {"default", "trial", "heart"}


def test_somebody_whom_no_project_names_sees_nothing(batches: dict[str, int]) -> None:
    browser = member("stranger")
    assert browser.get("/batches").status_code == 403
    assert browser.get(f"/batches/{batches['trial']}").status_code == 403


def test_roles_that_together_would_tell_a_date_shift_count_for_nothing(batches: dict[str, int]) -> None:
    browser = member("vera", Role.PRIVACY)
    assert browser.get("/batches").status_code == 403
    assert browser.get("/audit").status_code == 200


def test_a_reviewer_of_a_project_decides_about_its_images_alone(batches: dict[str, int]) -> None:
    browser = member("rita")
    assert browser.get("/review").status_code == 200
    chosen = {"do": "release", "reason": "looked at", "images": f"{batches['heart']}/1"}
    said = browser.post("/review", chosen, follow=True).content.decode()
    assert "Image 1" not in said


def test_a_token_of_a_member_reaches_as_far_as_the_member(batches: dict[str, int]) -> None:
    token = tokens.add(a_user(name="otto"), "t", [Scope.READ, Scope.OPERATE], 1)
    api = Client(HTTP_AUTHORIZATION=f"Bearer {token}")
    listed = json.loads(api.get("/api/batches").content)
    assert [one["project"] for one in listed["results"]] == ["trial"]
    assert api.get(f"/api/batches/{batches['trial']}").status_code == 200
    assert api.get(f"/api/batches/{batches['heart']}").status_code == 403
    assert api.get("/api/images").status_code == 403
    assert api.post("/api/queue").status_code == 403


def test_a_researcher_of_a_project_asks_its_warehouse_and_no_other(site: Site, batches: dict[str, int]) -> None:
    site.deliver()
    asked = {"sql": "SELECT load_id FROM dicom", "form": "csv"}
    browser = member("rosa")
    for project in ("", "trial", "heart", "default"):
        said = browser.post("/warehouse", asked | {"project": project}).content.decode()
        (loaded,) = site.projects.of("trial").warehouse.query("SELECT load_id FROM dicom").rows
        assert loaded[0] in said, project
    everything = signed_in(a_user(Role.RESEARCHER)).post("/warehouse", asked | {"project": "heart"}).content.decode()
    assert loaded[0] not in everything
    token = tokens.add(User.objects.get(name="rosa"), "t", [Scope.QUERY], 1)
    api = Client(HTTP_AUTHORIZATION=f"Bearer {token}")
    question = {"sql": "SELECT load_id FROM dicom", "project": "heart"}
    assert api.post("/api/query", question, content_type="application/json").status_code == 404
    question["project"] = ""
    assert api.post("/api/query", question, content_type="application/json").json()["rows"] == [[loaded[0]]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[people]\noperater = ["a"]\n',
            "line 3, people.operater: operater is no role of a project; did you mean operator?",
        ),
        ('[people]\nadmin = ["a"]\n', "line 3, people.admin: admin is no role of a project"),
        ('[people]\nviewer = "a"\n', "line 3, people.viewer: a list of users' names"),
        ('[people]\nviewer = ["a b"]\n', "line 3, people.viewer: a list of users' names"),
        ('people = ["a"]\n', "line 2, people: "),
    ],
)
def test_what_is_wrong_with_people_is_named_with_its_line(site: Site, text: str, says: str) -> None:
    site.project("trial", text)
    assert f"(trial.toml, {says}" in str(site.projects.refused["trial"])


def test_a_member_who_leaves_the_file_sees_nothing_from_then_on(site: Site, batches: dict[str, int]) -> None:
    browser = member("vera")
    assert shown(browser) == {"trial"}
    site.project("trial", 'title = "x"\n')
    assert browser.get("/batches").status_code == 403
    assert User.objects.filter(name="vera").exists()
