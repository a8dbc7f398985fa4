"""`make up`: a folder dropped into the data folder arrives as an object and two tables' rows; what dies comes back."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tests.support.dicom_network import dcmtk
from tests.support.phantoms import accession_number, leaks_in, make_study
from tests.support.servers import wait_until
from topology import plan, servers
from topology.families import descendants_of, kill
from topology.plan import Place

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.xdist_group("postgres"), pytest.mark.timeout(300)]


def run(place: Place, do: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "topology", do, str(place.folder), "--first-port", str(place.first_port)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def free_ports_in_a_row() -> int:
    """The first of as many in a row as are needed that nobody listens on."""
    for first in servers.free_ports(30):
        if first < 65000 and not any(is_taken(first + number) for number in range(len(plan.PORTS))):
            return first
    raise AssertionError("not enough free ports in a row")


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="sendit-topology-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    folder.chmod(0o755)
    here = Place(folder, free_ports_in_a_row())
    try:
        up = run(here, "up")
        assert up.returncode == 0, up.stdout + up.stderr
        assert [line.split()[0] for line in up.stdout.splitlines()[: len(NAMES)]] == NAMES
        yield here
    finally:
        run(here, "down")
        shutil.rmtree(folder)


NAMES = [program.name for program in plan.programs(Place(Path("/nowhere")))]


def sendit(place: Place, *arguments: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SENDIT_")}
    command = [sys.executable, "-m", "sendit", *arguments]
    done = subprocess.run(command, env=inherited | place.environment(), cwd=ROOT, capture_output=True, text=True)
    assert leaks_in(done.stdout + done.stderr) == []
    return done.stdout


def manage(place: Place, *words: str) -> str:
    """What the process manager's own program says."""
    command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(place.folder / "supervisor.conf"), *words]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def states(place: Place) -> dict[str, int]:
    with psycopg.connect(place.database("sendit")) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM pipeline_batch GROUP BY 1").fetchall())


def drop(place: Place, number: int) -> None:
    folder = place.data / f"{accession_number(number)}.tmp7"
    make_study(folder, number=number, images=2)
    folder.rename(folder.with_suffix(""))


def test_a_dropped_folder_arrives_as_an_object_and_two_tables_rows(place: Place) -> None:
    drop(place, 1)
    wait_until(lambda: states(place) == {"DONE": 1}, 60, f"not DONE: {place.logs}")
    objects = json.loads(urllib.request.urlopen(f"{place.http('storage')}/storage/v1/b/{plan.BUCKET}/o").read())
    (archive,) = [one["name"] for one in objects["items"] if one["name"].endswith(".tar.gz")]
    assert re.fullmatch(rf"Collection/{plan.COLLECTION}/Entity/(\w+)/\1_\d{{8}}_\w+\.tar\.gz", archive)
    assert "2" in sendit(place, "query", "SELECT image_count FROM dicom", "--format", "csv").splitlines()
    rows = sendit(place, "query", "SELECT object_name FROM instance", "--format", "csv").splitlines()
    assert rows.count(archive) == 2
    seen = json.loads(sendit(place, "status", "--json"))
    assert (seen["states"]["DONE"], seen["broker"]["answers"], seen["watcher"]["runs"]) == (1, True, True)
    assert 'sendit_batches{state="DONE"} 1.0' in urllib.request.urlopen(f"{place.http('web')}/metrics").read().decode()
    with psycopg.connect(place.database("identity")) as connection:
        assert connection.execute("SELECT count(*) FROM identity_service_audit").fetchall() == [(1,)]


def test_what_is_killed_comes_back_and_goes_on(place: Place) -> None:
    manager = int((place.folder / "supervisor.pid").read_text())
    for pid in descendants_of(manager):
        line = Path(f"/proc/{pid}/cmdline")
        if line.exists() and re.search(rb"-Q\0process|postgres|valkey|gcs_emulator", line.read_bytes()):
            kill(pid)
    drop(place, 2)
    wait_until(lambda: states(place) == {"DONE": 2}, 90, f"not DONE: {place.logs}")
    wait_until(lambda: run(place, "health").returncode == 0, 60, "not well again")


def test_without_broker_and_database_health_still_has_a_line_for_each(place: Place) -> None:
    for server in ("broker", "postgres"):
        assert manage(place, "stop", server) == f"{server}: stopped"
    lines = run(place, "health").stdout.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert {
        "broker         STOPPED",
        "worker-process cannot be asked without the broker",
        "web            answers 503: database DatabaseDown, broker BrokerDown",
    } <= {line.partition(": see")[0] for line in lines}
    for server in ("broker", "postgres"):
        assert manage(place, "start", server) == f"{server}: started"


def test_what_storescu_sends_arrives_too(place: Place, tmp_path: Path) -> None:
    wait_until(lambda: run(place, "health").returncode == 0, 60, "not well again")
    for number in (11, 12):
        make_study(tmp_path / str(number), number=number, images=3)
    done = dcmtk("storescu", "127.0.0.1", place.port("listener"), "+sd", "+r", tmp_path)
    assert done.returncode == 0, done.stdout
    ids = [accession_number(11), accession_number(12)]
    wait_until(lambda: all("DONE" in sendit(place, "batch_logs", one) for one in ids), 120)


def test_one_patient_in_three_projects_has_three_pseudonyms_at_three_destinations(place: Place, tmp_path: Path) -> None:
    """Sent once to the AE title of each: GCS and BigQuery, S3, and SFTP where OpenSSH's server is installed."""
    wait_until(lambda: run(place, "health").returncode == 0, 60, "not well again")
    (source,) = make_study(tmp_path / "sent", number=21, images=1)
    names = [one.name for one in place.examples()]
    assert names == ["heart", "lung", "brain"]
    for one in place.examples():
        done = dcmtk("storescu", "127.0.0.1", place.port("listener"), "-aec", one.ae_title, source)
        assert done.returncode == 0, done.stdout
    wait_until(lambda: delivered(place).keys() >= set(names), 120, f"not DONE: {place.logs}")
    found = {name: delivered(place)[name] for name in names}
    assert len({pseudonym for pseudonym, _ in found.values()}) == 3
    schemes = [uri.partition("://")[0] for _, uri in found.values()]
    assert schemes == ["gs", "s3", "sftp"]
    for name in names:
        asked = sendit(place, "query", "--project", name, "--format", "csv", "SELECT CodedPatientID FROM dicom")
        assert asked.splitlines()[1:] == [found[name][0]]


def delivered(place: Place) -> dict[str, tuple[str, str]]:
    """The pseudonym of the patient and the address of the archive, of each project's batch that is DONE."""
    sql = (
        "SELECT b.project, b.entity_suid, d.uri FROM pipeline_batch b JOIN pipeline_delivery d"
        " ON d.batch_id = b.id WHERE b.state = 'DONE' AND b.project <> 'default'"
    )
    with psycopg.connect(place.database("sendit")) as connection:
        return {project: (pseudonym, uri) for project, pseudonym, uri in connection.execute(sql)}


def test_nothing_that_was_said_or_kept_on_the_way_identifies(place: Place) -> None:
    logs = {path.name: leaks_in(path.read_bytes()) for path in place.logs.iterdir()}
    assert set(logs) >= {f"{name}.log" for name in NAMES} and not any(logs.values()), logs
    broker = redis.Redis(port=place.port("broker"))
    assert leaks_in(b"".join(broker.dump(key) or b"" for key in broker.scan_iter())) == []
    lines = [json.loads(line) for line in (place.logs / "watcher.log").read_text().splitlines()]
    assert {"watcher.started", "batch.found"} <= {line["event"] for line in lines}


def test_down_leaves_no_process_and_may_be_said_twice(place: Place) -> None:
    manager = int((place.folder / "supervisor.pid").read_text())
    family = [manager, *descendants_of(manager)]
    assert run(place, "down").returncode == 0
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
    again = run(place, "down")
    assert (again.returncode, again.stdout) == (0, "The topology is down.\n")
    assert run(place, "health").returncode == 1
