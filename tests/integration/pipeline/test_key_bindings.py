"""Keys and the database that knows them, on both databases: first binding, races, several hosts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from sendit import keys
from sendit.errors import Misconfigured
from sendit.ground import database
from sendit.identity_service.models import Client
from sendit.keys import KeyFile
from sendit.pipeline.record import key_bindings
from sendit.pipeline.record.site_models import KeyBinding
from tests.support.processes import at_once
from tests.support.site import Site

pytestmark = pytest.mark.on_both_databases


def host(site: Site, name: str, like: Path | None = None) -> Path:
    """The keys of another host: its own, or equal copies."""
    folder = site.var.parent / name / "secrets"
    shutil.copytree(like, folder) if like else keys.make(folder)
    return folder


def start(folder: Path) -> object:
    """What a process does that starts on the host with these keys; the proofs that it then relies on."""
    database.disconnect()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "SITE", replace(settings.SITE, var=folder.parent, secrets=str(folder)))
        database.make_ready()
    return tuple(keys.proofs(file, keys.load(folder, file)) for file in KeyFile)


def bound() -> tuple[object, ...]:
    rows = dict(KeyBinding.objects.values_list("file", "proofs"))
    return tuple(tuple(rows[file].split()) for file in KeyFile)


def test_hosts_with_equal_keys_start_together(site: Site) -> None:
    hosts = [host(site, f"host {number}", like=site.settings.secrets_folder) for number in range(5)]
    database.disconnect()
    assert set(at_once(*(lambda folder=folder: start(folder) for folder in hosts))) == {
        start(site.settings.secrets_folder)
    }


def test_of_hosts_with_different_keys_one_binds_and_the_others_stop(site: Site) -> None:
    hosts = [host(site, f"host {number}") for number in range(4)]
    database.disconnect()
    found = at_once(*(lambda folder=folder: start(folder) for folder in hosts))
    refused = [one for one in found if isinstance(one, Misconfigured)]
    (winner,) = [one for one in found if not isinstance(one, Misconfigured)]
    assert ({error.code for error in refused}, len(refused)) == ({"BadKey"}, 3)
    assert bound() == winner


def test_a_host_without_keys_makes_none_where_others_have_bound_theirs(site: Site) -> None:
    database.make_ready()
    empty = site.var.parent / "other" / "secrets"
    with pytest.raises(Misconfigured, match=r"NotInitialised \(no keys in"):
        start(empty)
    assert keys.present(empty) == frozenset()


def test_a_line_that_one_host_has_added_is_asked_of_the_others(site: Site) -> None:
    database.make_ready()
    behind = host(site, "behind", like=site.settings.secrets_folder)
    ahead = host(site, "ahead", like=site.settings.secrets_folder)
    old = (ahead / KeyFile.IDENTIFIERS).read_bytes()
    (ahead / KeyFile.IDENTIFIERS).unlink()
    keys.make(ahead, {KeyFile.IDENTIFIERS})
    (ahead / KeyFile.IDENTIFIERS).write_bytes((ahead / KeyFile.IDENTIFIERS).read_bytes() + b"\n" + old)
    start(ahead)
    with pytest.raises(Misconfigured, match=r"BadKey \(identifiers.key"):
        start(behind)
    shutil.copy(ahead / KeyFile.IDENTIFIERS, behind / KeyFile.IDENTIFIERS)
    assert start(behind) == start(ahead) == bound()


def test_a_database_that_was_emptied_is_known_by_its_place(site: Site) -> None:
    database.make_ready()
    KeyBinding.objects.update(proofs="")
    with pytest.raises(Misconfigured, match="the database was emptied"):
        database.make_ready()


def test_the_same_keys_in_another_database_are_bound_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    database.make_ready()
    before = bound()
    KeyBinding.objects.update(proofs="")
    monkeypatch.setattr(key_bindings, "place", lambda var: "another database")
    database.make_ready()
    assert bound() == before


def test_a_place_does_not_depend_on_what_is_in_the_database(site: Site) -> None:
    before = key_bindings.place(site.var)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE pipeline_keybinding")
    assert key_bindings.place(site.var) == before


def test_keys_that_only_the_pipeline_needs_are_not_asked_of_the_identity_service(site: Site) -> None:
    for file in keys.ALL - {KeyFile.PSEUDONYM}:
        (site.settings.secrets_folder / file).unlink()
    database.make_ready(frozenset({KeyFile.PSEUDONYM}))
    assert [bool(proofs) for proofs in bound()] == [True, False, False, False]
    assert keys.present(site.settings.secrets_folder) == {KeyFile.PSEUDONYM}


def test_an_identity_service_of_the_last_release_that_has_clients_makes_no_key(site: Site) -> None:
    Client.objects.create(name="ward-7", answered_by="x")
    for file in KeyFile:
        (site.settings.secrets_folder / file).unlink()
    with pytest.raises(Misconfigured, match=r"pseudonym.key: missing|NotInitialised"):
        database.make_ready(frozenset({KeyFile.PSEUDONYM}))
    assert keys.present(site.settings.secrets_folder) == frozenset()
