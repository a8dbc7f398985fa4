"""What the documentation says is what the code has: settings, errors, commands, states, words, dependencies, links."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from doctest import DocTestParser
from pathlib import Path

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand
from pydicom import dcmread

import sendit
from bom.bill import licences, locked
from docs import generate
from sendit.deid import deidentify
from sendit.pipeline.record.states import MOVES, State
from tests.support.phantoms import bundled

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PROSE = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
ROOMS = {path.stem: path.parents[2] for path in ROOT.glob("sendit/*/management/commands/[!_]*.py")}
COMMANDS = sorted(ROOMS)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))


def page(name: str) -> str:
    """The text of a page; a missing one fails by its name."""
    path = DOCS / name
    assert path.is_file(), f"docs/{name} is missing"
    return path.read_text()


def _programs() -> dict[str, str]:
    """The core's examples, as a newcomer copies them."""
    docstring = deidentify.__doc__ or ""
    session = "".join(example.source for example in DocTestParser().get_examples(docstring))
    readme = "".join(example.source for example in DocTestParser().get_examples((ROOT / "README.md").read_text()))
    (block,) = re.findall(r"^```python\n(.*?)^```", page("core.md"), re.DOTALL | re.MULTILINE)
    return {"deidentify": session, "README.md": readme, "core.md": block}


@pytest.mark.parametrize("where", ["deidentify", "README.md", "core.md"])
def test_the_cores_example_writes_an_image(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(bundled("CT_small.dcm"), "in.dcm")
    image = dcmread("in.dcm")
    image.AccessionNumber = "2222222"  # which the example's variables must have an answer for
    image.save_as("in.dcm")
    exec(_programs()[where], {})
    assert dcmread("out.dcm").PatientID == "p1"


# ------------------------------------------------------------------------------------------------- tables of the code


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_generated_page_is_what_the_code_makes(name: str) -> None:
    assert page(name) == generate.PAGES[name](), f"docs/{name} is out of date: run `make docs`"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_section(name: str) -> None:
    assert re.search(rf"^#+ .*`(sendit )?{name}\b", page("commands.md"), re.M), (
        f"docs/commands.md has no heading `{name}`"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_explained(name: str) -> None:
    section = _section(page("commands.md"), name)
    missing = [option for option in _options(name) if option not in section]
    assert not missing, f"docs/commands.md, `{name}`: nothing about {missing}"


def test_every_documented_command_exists() -> None:
    documented = set(re.findall(r"\bsendit ([a-z]+(?:_[a-z]+)*)", "\n".join(_code(path.read_text()) for path in PROSE)))
    assert documented <= {*COMMANDS, "migrate", "check"}


@pytest.mark.parametrize("state", State)
def test_every_state_is_explained(state: State) -> None:
    assert re.search(rf"\b{state}\b", page("states.md")), f"docs/states.md says nothing of {state}"


@pytest.mark.parametrize("move", MOVES, ids=lambda move: f"{move.source}-{move.target}")
def test_every_move_is_explained(move: tuple[str, str, str]) -> None:
    source, target, cause = move
    rows = [line for line in page("states.md").splitlines() if cause in line]
    assert any(source in row and target in row for row in rows), (
        f"docs/states.md has no row {source}, {target}: {cause}"
    )


# ------------------------------------------------------------------------------------------------- one word, everywhere


def unwanted_words() -> list[str]:
    rows = [line.split("|")[1:4] for line in page("glossary.md").splitlines() if line.startswith("| ")][2:]
    return [word.strip() for _, _, words in rows for word in words.split(",") if word.strip()]


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_prose_uses_the_words_of_the_glossary(path: Path) -> None:
    if path.name == "glossary.md":
        assert unwanted_words()
        return
    prose = _prose(path.read_text())
    used = [word for word in unwanted_words() if re.search(rf"(?<![-\w])({word}|{word.capitalize()})", prose)]
    assert not used, f"{path.name} says {used}; see docs/glossary.md"


def test_the_glossary_is_in_order() -> None:
    words = [word.lower() for word in re.findall(r"^\| ([^|]+?) \|", page("glossary.md"), re.M)][2:]
    assert len(words) > 20 and words == sorted(words)


# ------------------------------------------------------------------------------------------------- dependencies


def dependencies() -> list[str]:
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    return sorted({re.split(r"[<>=\[ ;]", line)[0].lower() for group in groups for line in group})


@pytest.mark.parametrize("name", dependencies())
def test_every_dependency_has_its_reason(name: str) -> None:
    rows = [line for path in DECISIONS for line in path.read_text().splitlines() if f"`{name}`" in line.lower()]
    assert any(len(row) > len(name) + 40 for row in rows), f"no page of docs/decisions/ gives the reason for {name}"


@pytest.mark.parametrize("name", dependencies())
def test_every_dependency_is_locked(name: str) -> None:
    assert re.search(rf"^{re.escape(name)}==", (ROOT / "requirements-dev.lock").read_text(), re.M), "run `make lock`"


def test_every_package_that_comes_with_a_wheel_has_its_licence_and_none_is_gpl() -> None:
    table = licences((ROOT / "THIRD-PARTY.md").read_text())
    packages = {one.name for one in locked((ROOT / "requirements-production.lock").read_text())}
    assert packages | {"htmx.org"} == table.keys(), "run `make licences`"
    assert not [name for name, licence in table.items() if re.search(r"(?<!L)GPL", licence)]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-production.lock", "requirements-dev.lock"])
def test_a_lock_has_a_hash_for_every_package_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    for package in re.split(r"^(?=\S+==)", text, flags=re.M)[1:]:
        assert "--hash=sha256:" in package


def test_the_changelog_is_the_versions_source() -> None:
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest and newest[1] == sendit.__version__, "run `make setup`: the installed version is another one"


# ------------------------------------------------------------------------------------------------- decisions, links


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)
def test_a_decision_is_one_numbered_page(path: Path) -> None:
    assert re.match(r"\d{4}-[a-z0-9-]+\.md$", path.name)
    assert re.match(r"# \S", path.read_text())
    assert len(path.read_text().splitlines()) <= 90


def test_no_two_decisions_share_a_number() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text())
    missing = [target for target in targets if not (path.parent / target).exists()]
    assert not missing, f"{path.name} links to {missing}"


def _links(name: str) -> set[str]:
    """The pages, with their sections, to which a page leads."""
    found = re.findall(r"\]\(((?!https?:)[^)\s]+)\)", page(name))
    below = Path(name).parent
    return {f"{below}/{target}".removeprefix("./") if not target.startswith("#") else name + target for target in found}


def _in_two_clicks() -> set[str]:
    """What can be reached from the home page, sections with their page."""
    first = _links("index.md")
    pages = {target.partition("#")[0] for target in first}
    return first | {target for name in pages for target in _links(name)}


def test_every_page_is_two_clicks_from_the_home_page() -> None:
    reached = {target.partition("#")[0] for target in _in_two_clicks()}
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"index.md"}
    assert not pages - reached, f"docs/index.md does not lead to {sorted(pages - reached)}"


TASKS = {
    "try it on a laptop": "start.md#try-it",
    "process the first folder of my own": "start.md#run-it-on-your-own-folders",
    "find out why a folder is not taken": "folders.md#which-folders-become-batches",
    "find out what became of each file": "folders.md#what-becomes-of-a-file",
    "know whose move it is in a state": "states.md#what-may-happen-in-a-state",
    "find which image was withheld, and why": "commands.md#batch_logs",
    "try batches in ERROR again": "commands.md#retry",
    "understand an error's code": "errors.md",
    "back up, and restore": "operations.md#back-up",
    "upgrade": "operations.md#upgrade",
    "know what an alarm means": "operations.md#what-each-alarm-means",
    "keep the keys safe": "operations.md#keys",
    "add a project": "projects.md#add-a-project",
    "ask DASHER for pseudonyms": "identity.md#ask-dasher",
    "deliver to a bucket": "google.md#set-up",
    "look at batches in the browser": "web.md",
    "release an image that was withheld": "web.md#review",
    "see who looked at what": "web.md#the-audit-trail",
    "deliver a series that came late": "folders.md#studies-that-grow",
    "take back a study whose consent was withdrawn": "operations.md#everyday-stories",
    "let a PACS send to us": "dicom.md#who-may-send",
    "fetch the studies of a list from a PACS": "dicom.md#fetch-studies-from-a-pacs",
    "find a batch by what is known of its study": "commands.md#find",
    "deliver by SFTP": "destinations.md#sftp",
    "know what a leaked key means": "security.md#the-keys",
    "sign a recipe": "approve.md#what-you-sign",
    "verify a delivery": "papers.md#verify-a-delivery",
    "have a project approved": "papers.md#have-a-project-approved",
    "know how many patients are unique": "papers.md#risk-in-numbers",
    "tell which patient a pseudonym is": "papers.md#a-crosswalk",
    "know what may still identify": "approve.md#what-remains-a-risk",
    "change what happens to Patient's Age": "recipes.md#change-what-happens-to-one-attribute",
    "withhold more images": "recipes.md#withhold-images",
    "get the images of a cohort": "researchers.md#get-images",
    "ask for an attribute of the header": "warehouse.md#asking",
    "see what happens to burned-in text": "pixels.md",
}
"""What a reader of each kind comes for, and the section that answers."""


def _anchors(name: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page(name), re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_found_in_two_clicks(task: str) -> None:
    name, _, section = TASKS[task].partition("#")
    assert not section or section in _anchors(name), f"{name} has no section {section}"
    home = {target.partition("#")[0] for target in _links("index.md")}
    assert name in home, f"the home page does not lead to {name}; its sections are one click from there"


def test_every_make_target_named_in_prose_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {name for path in PROSE for name in re.findall(r"\bmake ([a-z]+)`", path.read_text())}
    assert named and named <= targets


# ------------------------------------------------------------------------------------------------- reading pages


def _section(text: str, name: str) -> str:
    """The part of a page under the heading that names a command."""
    parts = re.split(r"^(?=#+ )", text, flags=re.M)
    return "\n".join(part for part in parts if re.match(rf"#+ .*`(sendit )?{name}\b", part))


def _options(name: str) -> Iterator[str]:
    """A command's own options, without Django's."""
    djangos = set(BaseCommand().create_parser("sendit", name)._option_string_actions)
    parser = load_command_class(f"sendit.{ROOMS[name].name}", name).create_parser("sendit", name)
    for action in parser._actions:
        if action.option_strings and not djangos & set(action.option_strings) and action.help != "==SUPPRESS==":
            yield max(action.option_strings, key=len)


def _code(text: str) -> str:
    return "\n".join(re.findall(r"```.*?```|^    .*?$|`[^`\n]+`", text, re.S | re.M))


def _prose(text: str) -> str:
    """A page without its code, and without where its links lead."""
    return re.sub(r"```.*?```|^    .*?$|`[^`\n]*`|\]\([^)]*\)", " ", text, flags=re.S | re.M)


def test_the_site_builds_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    """Strict: a link or a section that does not exist is an error."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    ran = subprocess.run(build, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    loaded = re.compile(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?(https?://[^"'\s>]+)""")
    assert [found for path in tmp_path.rglob("*.html") for found in loaded.findall(path.read_text())] == []


def test_each_promise_of_the_security_page_names_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", page("security.md"))
    assert len(named) > 8
    assert [path for path in named if not (ROOT / path).exists()] == []
