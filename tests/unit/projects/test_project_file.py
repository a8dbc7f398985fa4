"""A project's file: what it says, what counts where it says nothing, and how what is wrong is named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sendit import keys
from sendit.adapters.identity_local import LocalIdentityService
from sendit.deid.pseudonyms import Pseudonyms
from sendit.errors import Misconfigured
from sendit.phi import Phi
from sendit.ports import IdentityItem, IdentityRequest
from sendit.projects import project_template
from sendit.projects.composition import Projects, pseudonym_key
from sendit.projects.derived_keys import ProjectKey, hkdf
from sendit.projects.project import DataFolder, default_project
from sendit.projects.project_file import read
from sendit.projects.project_keys import KEYS
from sendit.projects.site import Site
from sendit.projects.toml_lines import line_of


@pytest.fixture
def site(tmp_path: Path) -> Site:
    keys.make(tmp_path / "secrets")
    (tmp_path / "projects").mkdir()
    return Site(var=tmp_path, data_base=tmp_path / "data")


def write(site: Site, name: str, text: str) -> Path:
    path = site.projects_folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(site: Site, text: str, name: str = "trial") -> str:
    with pytest.raises(Misconfigured, match="BadProject") as caught:
        read(write(site, name, text), site)
    return caught.value.subject or ""


# ------------------------------------------------------------------------------------------------- what it says


def test_an_empty_file_is_a_project_with_a_key_and_names_of_its_own_that_takes_nothing(site: Site) -> None:
    project = read(write(site, "lung-ct", ""), site).project
    assert (project.name, project.key, project.collection) == ("lung-ct", ProjectKey.parse("own", "lung-ct"), "lung_ct")
    assert project.identity.study == "lung_ct"
    assert project.data_folders == ()
    assert project.recipe == default_project(site).recipe


def test_what_a_file_says_wins_over_the_settings_and_nothing_else_changes(site: Site) -> None:
    text = """
        name = "trial"
        recipe = "basic"
        collection = "IRB7"
        identity_service = "https://dasher.example.org/api"
        max_date_shift_days = 30
        data_folders = ["a", "/mnt/b"]
        originals = "delete"
    """
    found = read(write(site, "trial", text), site)
    assert (found.project.recipe, found.project.collection, found.project.max_date_shift_days) == ("basic", "IRB7", 30)
    assert [folder.path for folder in found.project.data_folders] == [site.data_base / "a", Path("/mnt/b")]
    assert (found.site.anonymize_restful, found.site.identity_url) == (True, "https://dasher.example.org/api")
    assert (found.site.originals, found.site.identifiers) == ("delete", site.identifiers)
    assert found.project.identity.study == "irb7"


def test_relative_files_are_below_the_folder_of_the_projects_file(site: Site) -> None:
    (site.projects_folder / "own.recipe").write_text("FORMAT dicom\n%header\n")
    found = read(write(site, "trial", 'recipe = "own.recipe"\nopt_out = "out.txt"\n'), site)
    assert found.project.recipe == str(site.projects_folder / "own.recipe")
    assert found.project.opt_out == str(site.projects_folder / "out.txt")


def test_a_new_file_says_what_counts_without_it(site: Site) -> None:
    """Each line that is a comment may be made a line without any change."""
    new = project_template.text("trial", site)
    assert tomllib.loads(new) == {"name": "trial", "title": "", "key": "own"}
    spoken = re.sub(r"^# (\w+ = )", r"\1", new, flags=re.M)
    assert tomllib.loads(spoken).keys() == KEYS.keys()
    one, other = (read(write(site, "trial", text), site) for text in (new, spoken))
    assert one.site == other.site
    assert one.project.fingerprint == other.project.fingerprint
    assert one.project.data_folders == other.project.data_folders == ()


# ------------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('recipe = "basic"\ncolection = "x"\n', "trial.toml, line 2, colection: no such key; did you mean collection?"),
        ('\n\nname = "other"\n', "trial.toml, line 3, name: a project is called as its file, trial"),
        ('key = "mine"\n', "trial.toml, line 1, key: own, site or shared:NAME"),
        ('key = "shared:"\n', "trial.toml, line 1, key: own, site or shared:NAME"),
        ('title = "a"\n"max_date_shift_days" = "many"\n', "trial.toml, line 2, max_date_shift_days: a number of days"),
        ("max_date_shift_days = 0\n", "trial.toml, line 1, max_date_shift_days: a number of days"),
        ("anonymize_pixels = 1\n", "trial.toml, line 1, anonymize_pixels: true or false"),
        ('originals = "burn"\n', "trial.toml, line 1, originals: keep or delete"),
        ("data_folders = [1]\n", "trial.toml, line 1, data_folders: a list of folders"),
        ('identity_service = "http://far.example.org"\n', "trial.toml, line 1, identity_service: local or https://…"),
        ('recipe = "basic"\n[collection]\na = 1\n', "trial.toml, line 2, collection: a name"),
        ('a = "b\n', "trial.toml, line 1: TOML is expected"),
        ('title = "a\\u0000b"\n', "trial.toml, line 1, title: text"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_line_and_key(site: Site, text: str, says: str) -> None:
    assert refusal(site, text) == says


@pytest.mark.parametrize("name", ["Trial", "a b", "ä", "-a", "x" * 64, ""])
def test_a_file_has_the_name_of_a_project(site: Site, name: str) -> None:
    assert "small letters" in refusal(site, "", name)


def test_a_destination_that_is_no_url_is_named_with_its_key(site: Site) -> None:
    with pytest.raises(Misconfigured) as caught:
        read(write(site, "trial", 'title = "x"\ndestinations = ["s3://"]\n'), site)
    assert "trial.toml, line 2, destinations" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key", "table", "line"),
    [
        ("a = 1\nb = 2\n", "b", "", 2),
        ("ab = 1\n'b' = 2\n", "b", "", 2),
        ("[people]\nb = 1\n[other]\nb = 2\n", "b", "other", 4),
        ("a = 1\n[people]\n", "people", "", 2),
        ("people.operator = []\n", "people", "", 1),
        ("[t]\nb = 1\n", "b", "", 0),
    ],
)
def test_the_line_of_a_key(text: str, key: str, table: str, line: int) -> None:
    assert line_of(text, key, table) == line


# ------------------------------------------------------------------------------------------------- default


def test_default_is_there_without_a_file_with_the_pseudonyms_of_the_sites_key(site: Site) -> None:
    write(site, "trial", "")
    projects = Projects(site)
    assert projects.names == ("default", "trial")
    assert projects.default.project.data_folders == (DataFolder("SENDIT_DATA_BASE", site.data_base),)
    uid = Pseudonyms(pseudonym_key(site)).uid("1.2.3")
    assert projects.default.pseudonyms.uid("1.2.3") == uid != projects.of("trial").pseudonyms.uid("1.2.3")


def test_the_file_of_default_says_that_its_key_is_the_sites(site: Site) -> None:
    assert 'default says key = "site"' in refusal(site, 'recipe = "basic"\n', "default")
    write(site, "default", 'key = "site"\nrecipe = "basic"\n')
    default = Projects(site).default
    assert default.project.recipe == "basic"
    assert default.project.data_folders == default_project(site).data_folders
    assert default.project.collection == site.google_storage_collection
    assert default.pseudonyms.uid("1.2.3") == Pseudonyms(pseudonym_key(site)).uid("1.2.3")


# ------------------------------------------------------------------------------------------------- keys


def test_hkdf_is_that_of_rfc_5869() -> None:
    """Its test case 1, of which the first 32 bytes are one block."""
    key, salt = bytes([0x0B] * 22), bytes(range(13))
    info = bytes(range(0xF0, 0xFA))
    assert hkdf(key, salt, info).hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"


def test_own_keys_differ_and_a_shared_one_is_one(site: Site) -> None:
    made = {
        text + project: ProjectKey.parse(text, project).of(pseudonym_key(site))
        for text in ("own", "site", "shared:x", "shared:a")
        for project in ("a", "x")
    }
    assert made["owna"] != made["ownx"] and made["owna"] != made["shared:aa"]
    assert made["shared:xa"] == made["shared:xx"] != made["shared:ax"]
    assert made["sitea"] == made["sitex"] == pseudonym_key(site)
    assert len(set(made.values())) == 5


def answers(projects: Projects, name: str) -> tuple[str, str, int, str]:
    ports = projects.of(name)
    names = ports.project.identity
    item = IdentityItem(Phi("A1"), names.item_source)
    request = IdentityRequest(names.study, Phi("P1"), names.entity_source, items=(item,))
    answer = ports.identity_service.identify(request)
    return answer.entity.suid, answer.items[0].suid, answer.entity.jitter, ports.pseudonyms.uid("1.2.3")


def test_everything_keyed_differs_between_own_projects_and_agrees_between_those_that_share(site: Site) -> None:
    for name in ("a", "b"):
        write(site, name, "")
    for name in ("c", "d"):
        write(site, name, f'key = "shared:twins"\nidentity_collection = "one"\ncollection = "{name}"\n')
    projects = Projects(site)
    found = {name: answers(projects, name) for name in projects.names}
    assert found["c"] == found["d"]
    for place in (0, 1, 3):
        assert len({found[name][place] for name in ("default", "a", "b", "c")}) == 4
    own = LocalIdentityService(ProjectKey.parse("own", "a").of(pseudonym_key(site)), 365)
    item = IdentityItem(Phi("A1"), "DCM Accession #")
    asked = own.identify(IdentityRequest("a", Phi("P1"), "Stanford MRN", items=(item,)))
    assert asked.entity.jitter == found["a"][2]


# ------------------------------------------------------------------------------------------------- apart


def test_two_own_projects_that_ask_one_service_for_one_collection_are_refused_and_others_work(site: Site) -> None:
    for name in ("a", "b"):
        write(site, name, f'collection = "{name}"\nidentity_collection = "IRB9"\n')
    write(site, "c", "")
    projects = Projects(site)
    assert projects.names == ("default", "c")
    assert projects.refused.keys() == {"a", "b"}
    with pytest.raises(Misconfigured, match=r"BadProject \(a.toml: .*as b has it"):
        projects.of("a")


@pytest.mark.parametrize("other", ['identity_service = "https://x.example.org/api"\n', 'key = "shared:x"\n'])
def test_another_service_or_key_keeps_them_apart(site: Site, other: str) -> None:
    write(site, "a", 'identity_collection = "IRB9"\n')
    write(site, "b", f'identity_collection = "irb9"\n{other}')
    assert Projects(site).names == ("default", "a", "b")


def test_two_projects_do_not_write_into_one_collection_of_one_store(site: Site) -> None:
    write(site, "a", f'collection = "{site.google_storage_collection}"\nidentity_collection = "a"\n')
    projects = Projects(site)
    assert projects.names == ("default",)
    assert "collection is taken in that destination, as default has it" in str(projects.refused["a"])


# ------------------------------------------------------------------------------------------------- read again


def test_a_file_that_changes_is_read_again_and_the_others_keep_their_ports(site: Site) -> None:
    write(site, "a", "")
    write(site, "b", "")
    projects = Projects(site)
    one, other = projects.of("a"), projects.of("b")
    write(site, "a", 'recipe = "basic"\n')
    assert projects.of("a").project.recipe == "basic" and projects.of("a") is not one
    assert projects.of("b") is other
    (site.projects_folder / "a.toml").unlink()
    with pytest.raises(Misconfigured, match="UnknownProject"):
        projects.of("a")


def test_a_file_that_is_wrong_refuses_its_project_until_it_is_right_again(site: Site) -> None:
    write(site, "a", "")
    write(site, "b", "")
    projects = Projects(site)
    write(site, "a", "nonsense = 1\n")
    assert projects.names == ("default", "b")
    with pytest.raises(Misconfigured, match=r"BadProject \(a.toml, line 1, nonsense: no such key\)"):
        projects.of("a")
    write(site, "a", "")
    assert projects.names == ("default", "a", "b")


def test_a_folder_of_projects_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    assert Projects(Site(var=tmp_path)).names == ("default",)
    with pytest.raises(Misconfigured, match=r"BadProject \(SENDIT_PROJECTS"):
        Projects(Site(var=tmp_path, projects=str(tmp_path / "no such folder"))).default  # noqa: B018 - asks for it


# ------------------------------------------------------------------------------------------------- fingerprints


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        ('title = "Another title"\n', True),
        ('name = "trial"\nmax_date_shift_days = 365\n', True),
        ('recipe = "basic"\n', False),
        ('key = "shared:x"\n', False),
        ('originals = "delete"\n', False),
        ('identity_service = "https://x.example.org/api"\n', False),
    ],
)
def test_the_fingerprint_changes_with_what_decides(site: Site, text: str, is_same: bool) -> None:
    before: Any = read(write(site, "trial", ""), site).project.fingerprint
    assert (read(write(site, "trial", text), site).project.fingerprint == before) is is_same
