"""Keys that are lost, cut or exchanged, as an operator meets them: by commands as processes of their own."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client, override_settings

from sendit import keys
from sendit.errors import Misconfigured
from sendit.ground.database import disconnect
from sendit.keys import KeyFile
from tests.support.phantoms import accession_number
from tests.support.servers import Cluster, Valkey
from tests.support.shell import run
from tests.support.site import DATABASE, Site, use_database

AS_PROCESSES = [("start_watcher",), ("start_watcher", "--foreground"), ("retry", "--all-errors"), ("upload_finished",)]
IN_THIS_PROCESS = [("clean_up",), ("status",), ("batch_logs",), ("export_metrics",)]


def another_key() -> bytes:
    return base64.urlsafe_b64encode(secrets.token_bytes(32))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "lost": lambda path: path.unlink(),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "cut by one byte": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "exchanged": lambda path: path.write_bytes(another_key()),
    "empty": lambda path: path.write_bytes(b""),
    "blank": lambda path: path.write_bytes(b" \n\t\n" * 20),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "zeros": lambda path: path.write_bytes(b"\0" * path.stat().st_size),
}


def key_path(site: Site, file: KeyFile) -> Path:
    return site.var / "secrets" / file


def content(site: Site) -> dict[KeyFile, bytes]:
    return {file: key_path(site, file).read_bytes() for file in KeyFile if key_path(site, file).is_file()}


def refused(done: subprocess.CompletedProcess[str], *said: str) -> bool:
    """One line that names what is wrong and what to do, exit code 2."""
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines)) == (2, 1), done.stderr + done.stdout
    return lines[0].startswith("sendit: BadKey (") and all(part in lines[0] for part in ("Restore", *said))


@pytest.fixture
def working(site: Site) -> Site:
    """A site that has processed a study and has another to process."""
    site.study(1)
    site.call("status")
    site.process()
    disconnect()  # all that SQLite has is in its file
    site.study(2)
    return site


@pytest.mark.parametrize("file", KeyFile)
def test_a_key_that_is_not_the_one_bound_stops_everything(working: Site, file: KeyFile) -> None:
    path = key_path(working, file)
    kept = path.read_bytes()
    for damage in DAMAGE.values():
        damage(path)
        damaged = content(working)
        with pytest.raises(Misconfigured, match=rf"BadKey \({file}: ") as raised:
            working.call("start_queue", "--number", "all")
        assert not any(key.strip() and key.strip().decode() in str(raised.value) for key in (kept, *damaged.values()))
        assert content(working) == damaged
        put_back(path, kept)
    path.write_bytes(another_key())
    assert refused(working.run("start_queue", "--number", "all"), str(file))
    put_back(path, kept)
    assert "1 batch in" in working.run("start_queue", "--number", "all").stdout


def put_back(path: Path, kept: bytes) -> None:
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(kept)


def test_every_command_that_asks_the_database_says_so(working: Site) -> None:
    key_path(working, KeyFile.PSEUDONYM).write_bytes(another_key())
    for command in AS_PROCESSES:
        assert refused(working.run(*command), "pseudonym.key")
    for command in IN_THIS_PROCESS:
        with pytest.raises(Misconfigured, match=r"BadKey \(pseudonym.key"):
            working.call(*command)


def test_commands_without_a_database_do_not_use_another_key_either(working: Site, tmp_path: Path) -> None:
    path = key_path(working, KeyFile.PSEUDONYM)
    kept = path.read_bytes()
    (image,) = list((working.data / accession_number(1)).iterdir())[:1]
    for damage in ("lost", "cut", "exchanged", "empty"):
        DAMAGE[damage](path)
        assert refused(working.run("deid", str(working.data), str(tmp_path / "out")), "pseudonym.key")
        assert refused(working.run("preview", "--reveal", str(image)), "pseudonym.key")
        put_back(path, kept)
    assert not [found for found in (tmp_path / "out").rglob("*") if found.is_file()]
    assert working.run("deid", str(working.data), str(tmp_path / "out")).returncode == 0


def test_all_keys_lost_at_once_is_no_new_site(working: Site, tmp_path: Path) -> None:
    shutil.rmtree(working.var / "secrets")
    assert refused(working.run("start_queue"), "missing")
    assert refused(working.run("deid", str(working.data), str(tmp_path / "out")), "missing")
    assert content(working) == {}


def test_lines_may_be_added_on_top_of_identifiers_key_and_stay(working: Site) -> None:
    path = key_path(working, KeyFile.IDENTIFIERS)
    first, second = path.read_bytes(), another_key()
    path.write_bytes(second + b"\n" + first + b"\n")
    assert working.run("start_queue", "--number", "all").returncode == 0
    for wrong in (first, second, first + b"\n" + second, second + b"\n" + another_key() + b"\n" + first):
        path.write_bytes(wrong)
        with pytest.raises(Misconfigured, match=r"BadKey \(identifiers.key"):
            working.call("status")
    path.write_bytes(b"\r\n\n".join([another_key(), second, first]) + b"  \n")
    assert working.run("status").returncode == 0


def test_a_key_that_is_exchanged_while_a_process_runs_is_not_used(working: Site) -> None:
    path = key_path(working, KeyFile.PSEUDONYM)
    kept = path.read_bytes()
    path.write_bytes(another_key())
    (batch,) = [batch for batch in working.process() if batch.state != "DONEPROCESSING"]
    assert [error["code"] for error in batch.errors] == ["BadKey"]
    path.write_bytes(kept)
    assert working.run("retry", "--code", "BadKey").returncode == 0
    assert "1 batch in" in working.run("start_queue").stdout


def test_check_names_keys_that_are_wrong_or_open_to_others(working: Site) -> None:
    assert working.run("check").returncode == 0
    key_path(working, KeyFile.DIGEST).chmod(0o640)
    key_path(working, KeyFile.PSEUDONYM).unlink()
    said = working.run("check").stderr
    assert "sendit.W010" in said and "read or change digest.key" in said
    assert "sendit.E010" in said and "BadKey (pseudonym.key: missing)" in said


@pytest.mark.parametrize("damage", ["lost", "exchanged"])
def test_readyz_says_it(working: Site, damage: str) -> None:
    with override_settings(ROOT_URLCONF="sendit.web.urls", MIDDLEWARE=[]):
        assert Client().get("/readyz").json()["database"] == "ok"
        DAMAGE[damage](key_path(working, KeyFile.DIGEST))
        answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "BadKey")


def test_a_celery_worker_says_it_and_ends(valkey: Valkey, site: Site, cluster: Cluster) -> None:
    site.call("status")
    key_path(site, KeyFile.IDENTIFIERS).write_bytes(another_key())
    worker = cluster.worker()
    assert worker.wait(60) == 2
    assert "sendit: BadKey (identifiers.key: " in cluster.said() and "Traceback" not in cluster.said()


def test_a_new_site_makes_its_keys_and_binds_them(site: Site) -> None:
    shutil.rmtree(site.var)
    assert site.run("init").returncode == 0
    assert site.run("status").returncode == 0
    made = content(site)
    assert set(made) == keys.ALL
    assert {key_path(site, file).stat().st_mode & 0o777 for file in KeyFile} == {0o600}
    with sqlite3.connect(site.var / DATABASE) as database:
        kept = dict(database.execute("SELECT file, proofs FROM pipeline_keybinding").fetchall())
    assert kept == {file: " ".join(keys.proofs(file, keys.load(site.var / "secrets", file))) for file in KeyFile}
    stored = (site.var / DATABASE).read_bytes() + (site.var / keys.MEMORY).read_bytes()
    assert not any(key in stored for key in made.values())


def test_no_command_makes_a_var_or_keys_by_accident(site: Site) -> None:
    shutil.rmtree(site.var)
    alone = [("query", "SELECT 1"), ("remove_times",), ("stop_watcher",)]
    for command in (*AS_PROCESSES[2:], *IN_THIS_PROCESS, *alone):
        ran = run(*command)
        assert ran.code == 2 and ran.err.startswith(f"NotInitialised (no keys in {site.var}/secrets"), command
    for command in (("status",), ("migrate",)):
        done = site.run(*command)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), command
        assert done.stderr.startswith(f"sendit: NotInitialised (no keys in {site.var}/secrets"), command
    assert not site.var.exists()


BEGIN = [("start_queue",), ("deid", "DATA", "OUT")]


@pytest.mark.parametrize("command", BEGIN, ids=lambda command: command[0])
def test_work_begins_a_var_that_is_named_and_empty_and_no_other(
    site: Site, tmp_path: Path, command: tuple[str, ...]
) -> None:
    site.study(1)
    places = {"DATA": str(site.data), "OUT": str(tmp_path / "out")}
    arguments = [places.get(word, word) for word in command]
    shutil.rmtree(site.var)
    assert site.run(*arguments).returncode == 0
    assert set(content(site)) == keys.ALL
    shutil.rmtree(site.var)
    (site.var / "store").mkdir(parents=True)  # a VAR that lost its keys, or another folder
    done = site.run(*arguments, "--force") if command[0] == "deid" else site.run(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("sendit: NotInitialised")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SENDIT_")}
    sendit = [sys.executable, "-P", "-m", "sendit", *arguments]
    (elsewhere := tmp_path / "elsewhere").mkdir()
    nameless = subprocess.run(sendit, cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert nameless.returncode == 2 and nameless.stderr.startswith("sendit: NotInitialised")
    assert not (elsewhere / "var").exists()


def test_what_needs_no_var_runs_without_one(site: Site, tmp_path: Path) -> None:
    site.study(1)
    shutil.rmtree(site.var)
    (tmp_path / "key").write_text("a site's own secret")
    image = next((site.data / accession_number(1)).iterdir())
    with_key = ("--key-file", str(tmp_path / "key"))
    assert site.run("deid", str(site.data), str(tmp_path / "out"), *with_key).returncode == 0
    assert run("explain", "basic").code == run("preview", "--reveal", str(image), *with_key, reveals=True).code == 0
    assert site.run("status", "--help").returncode == 0
    assert "sendit.E011) NotInitialised" in site.run("check").stderr
    assert not site.var.exists()


@pytest.mark.parametrize("left", [file for file in KeyFile if file is not KeyFile.PSEUDONYM])
def test_a_site_that_has_a_key_is_no_new_site(site: Site, left: KeyFile) -> None:
    key = content(site)[left]
    shutil.rmtree(site.var)
    (site.var / "secrets").mkdir(parents=True)
    key_path(site, left).write_bytes(key)
    assert refused(site.run("start_queue"), "pseudonym.key: missing")
    assert content(site) == {left: key}


def test_a_site_may_begin_with_a_copy_of_another_sites_pseudonyms(site: Site) -> None:
    key = content(site)[KeyFile.PSEUDONYM]
    shutil.rmtree(site.var)
    (site.var / "secrets").mkdir(parents=True)
    key_path(site, KeyFile.PSEUDONYM).write_bytes(key)
    assert site.run("status").returncode == 0
    assert set(content(site)) == keys.ALL and content(site)[KeyFile.PSEUDONYM] == key


def test_a_missing_database_is_made_and_takes_the_keys(working: Site) -> None:
    before = content(working)
    for path in working.var.glob(f"{DATABASE}*"):
        path.unlink()
    assert "2 batches in" in working.run("start_queue", "--number", "all").stdout
    assert content(working) == before


@pytest.mark.parametrize("file", KeyFile)
def test_a_missing_database_takes_no_other_keys(working: Site, file: KeyFile) -> None:
    kept = key_path(working, file).read_bytes()
    for damage in ("lost", "exchanged"):
        (working.var / DATABASE).unlink(missing_ok=True)
        DAMAGE[damage](key_path(working, file))
        assert refused(working.run("start_queue"), str(file))
        put_back(key_path(working, file), kept)


def truncate(site: Site) -> None:
    (site.var / DATABASE).write_bytes(b"")


def flush(site: Site) -> None:
    site.run("flush", "--no-input")


def drop_tables(site: Site) -> None:
    with sqlite3.connect(site.var / DATABASE) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for (table,) in tables.fetchall():
            database.execute(f'DROP TABLE "{table}"')


def forget_bindings(site: Site) -> None:
    with sqlite3.connect(site.var / DATABASE) as database:
        database.execute("DELETE FROM pipeline_keybinding WHERE file = 'digest.key'")


@pytest.mark.parametrize("empty", [truncate, flush, drop_tables, forget_bindings])
def test_a_database_that_was_emptied_is_refused_again_and_again(working: Site, empty: Callable[[Site], None]) -> None:
    empty(working)
    for command in ("start_queue", "status", "upload_finished"):
        assert refused(working.run(command), "the database was emptied")


def test_who_means_to_begin_again_removes_the_database(working: Site) -> None:
    truncate(working)
    assert refused(working.run("status"))
    (working.var / DATABASE).unlink()
    assert working.run("status").returncode == 0


def of_last_release(site: Site) -> None:
    """The database as the last release left it."""
    with use_database(f"sqlite:///{site.var / DATABASE}"):
        call_command("migrate", "pipeline", "0003", verbosity=0)
    (site.var / keys.MEMORY).unlink()


def test_a_database_of_the_last_release_takes_the_keys_that_it_finds(working: Site) -> None:
    of_last_release(working)
    before = content(working)
    assert "1 batch in" in working.run("start_queue", "--number", "all").stdout
    assert content(working) == before
    key_path(working, KeyFile.PSEUDONYM).write_bytes(another_key())
    assert refused(working.run("status"), "pseudonym.key")


def test_a_database_of_the_last_release_gets_a_key_that_signs(working: Site) -> None:
    of_last_release(working)
    key_path(working, KeyFile.SIGNING).unlink()
    assert "1 batch in" in working.run("start_queue", "--number", "all").stdout
    kept = key_path(working, KeyFile.SIGNING).read_bytes()
    assert key_path(working, KeyFile.SIGNING).stat().st_mode & 0o777 == 0o600
    key_path(working, KeyFile.SIGNING).unlink()
    assert refused(working.run("status"), "signing.key: missing")
    put_back(key_path(working, KeyFile.SIGNING), another_key() + b"\n" + kept)
    assert working.run("status").returncode == 0


@pytest.mark.parametrize("file", sorted(keys.ALL - keys.LATER))
def test_a_database_of_the_last_release_with_batches_makes_no_key(working: Site, file: KeyFile) -> None:
    of_last_release(working)
    key_path(working, file).unlink()
    assert refused(working.run("start_queue"), f"{file}: missing")


@pytest.mark.parametrize("file", [KeyFile.IDENTIFIERS, KeyFile.DIGEST])
def test_a_database_of_the_last_release_takes_no_key_that_cannot_have_made_it(working: Site, file: KeyFile) -> None:
    of_last_release(working)
    kept = key_path(working, file).read_bytes()
    key_path(working, file).write_bytes(another_key())
    assert refused(working.run("start_queue"), str(file))
    put_back(key_path(working, file), kept)
    assert "1 batch in" in working.run("start_queue", "--number", "all").stdout


def test_a_restored_backup_goes_on_with_its_keys(working: Site, tmp_path: Path) -> None:
    shutil.copy(working.var / DATABASE, tmp_path / "backup")
    truncate(working)
    assert refused(working.run("status"))
    shutil.copy(tmp_path / "backup", working.var / DATABASE)
    assert "1 batch in" in working.run("start_queue", "--number", "all").stdout


def test_processes_that_start_a_new_site_together_agree_on_its_keys(site: Site) -> None:
    for number in range(1, 5):
        site.study(number)
    shutil.rmtree(site.var)
    assert [process.wait(120) for process in [site.start("init") for _ in range(3)]] == [0] * 3
    started = [site.start("start_queue", "--number", "all") for _ in range(4)]
    assert [process.wait(120) for process in started] == [0] * 4
    made = content(site)
    assert site.run("status").returncode == 0
    assert content(site) == made
