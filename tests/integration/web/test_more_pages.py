"""Warehouse, recipes, settings; and, over all pages and roles, no identifier to who may see none."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pytest

from sendit.pipeline.files.download import named_by
from sendit.pipeline.record.models import Batch
from sendit.web.roles import IDENTIFIERS, PSEUDONYMS, TRUE_TIMES, Role
from tests.integration.web.test_access import addresses
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import leaks_in
from tests.support.site import Site

TRUE_TIME = re.compile(r"20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d")


@pytest.fixture(autouse=True)
def web() -> Iterator[None]:
    with web_settings():
        yield


@pytest.fixture
def done(site: Site) -> Site:
    """Two delivered studies of CT and MR."""
    site.study(1, images=3, SeriesDescription="Routine")
    site.study(2, images=1, base="MR_small.dcm")
    site.process()
    site.deliver()
    return site


@pytest.mark.parametrize("role", sorted(set(Role) - IDENTIFIERS))
def test_no_page_shows_an_identifier_to_who_may_see_none(done: Site, role: Role) -> None:
    browser = signed_in(a_user(role))
    seen = 0
    for name, address in addresses().items():
        answer = browser.get(address)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        assert leaks_in(content) == leaks_in(str(answer.headers)) == [], name
        of_batches = name.startswith(("batch", "over", "image", "api:"))
        if role in PSEUDONYMS - TRUE_TIMES and answer.status_code == 200 and of_batches:
            assert TRUE_TIME.search(content.decode(errors="replace")) is None, name
        seen += answer.status_code == 200
    assert seen > 5


def test_a_role_that_sees_true_times_alone_sees_no_pseudonym(done: Site) -> None:
    browser, pseudonym = signed_in(a_user(Role.PRIVACY)), Batch.objects.get(pk=1).item_suid
    for address in addresses().values():
        answer = browser.get(address)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        assert pseudonym.encode() not in content, address


def test_a_question_is_answered_as_a_table_and_as_csv(done: Site) -> None:
    browser = signed_in(a_user(Role.RESEARCHER))
    assert "StudyInstanceUID" in browser.get("/warehouse").content.decode()
    sql = "SELECT Modality, count(*) AS n, '=1+1' AS formula FROM instance GROUP BY Modality ORDER BY n"
    shown = browser.post("/warehouse", {"sql": sql}).content.decode()
    assert re.search(r"<td>MR</td><td>1</td>.*<td>CT</td><td>3</td>", shown, re.S)
    text = browser.post("/warehouse", {"sql": sql, "form": "csv"}).content.decode()
    header, *rows = csv.reader(io.StringIO(text))
    assert (header, rows) == (["Modality", "n", "formula"], [["MR", "1", "'=1+1"], ["CT", "3", "'=1+1"]])
    refused = browser.post("/warehouse", {"sql": "DELETE FROM instance"})
    assert (refused.status_code, "BadQuery" in refused.content.decode()) == (422, True)


@pytest.mark.parametrize(
    ("query", "modalities"),
    [
        ("", ["CT", "MR"]),
        ("Modality=ct", ["CT"]),
        ("images=2", ["CT"]),
        ("Modality=XA", []),
        ("Modality=' OR 1=1 --", []),
        ("SeriesDescription=%25", []),
        ("images=nan&thinnest=x", ["CT", "MR"]),
    ],
)
def test_series_are_filtered_and_become_a_manifest_for_download(done: Site, query: str, modalities: list[str]) -> None:
    browser = signed_in(a_user(Role.RESEARCHER))
    shown = browser.get(f"/warehouse/series?{query}").content.decode()
    assert sorted(re.findall(r"<td>(CT|MR)</td>", shown)) == modalities
    rows = list(csv.DictReader(io.StringIO(browser.get(f"/warehouse/manifest.csv?{query}").content.decode())))
    assert len(rows) == len(modalities)
    if rows:
        wanted = named_by(done.ports.warehouse, rows)
        assert len(wanted) == sum(int(row["image_count"]) for row in rows)


def test_a_recipe_is_explained_and_no_path_is_read(site: Site) -> None:
    browser = signed_in(a_user(Role.PRIVACY))
    own = browser.get("/recipes").content.decode()
    assert "Recipe research" in own and "(0010,0010)" in own and "burned-in annotation" in own
    assert "Recipe basic" in browser.get("/recipes?recipe=basic").content.decode()
    assert "Recipe research" in browser.get("/recipes?recipe=/etc/passwd").content.decode()
    site.set(STUDY_DEID=str(site.var / "missing.recipe"))
    assert "UnknownRecipe" in browser.get("/recipes").content.decode()


def test_settings_tell_values_and_origins_but_no_secret(site: Site) -> None:
    site.set(BROKER="redis://:Zqsecret@127.0.0.1:1/0", WORKERS=3)
    shown = signed_in(a_user(Role.ADMIN)).get("/settings").content.decode()
    assert "Zqsecret" not in shown and "(set)" in shown
    assert re.search(r'WORKERS</td><td class="code">3</td><td>environment</td>', shown)
    assert re.search(r'RUNNER</td><td class="code">embedded</td><td>default</td>', shown)
