"""The listener as an operator has it: a process of its own, beside the watcher."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendit.pipeline.record.models import Batch, Delivery, Event, Image, Outcome
from sendit.receiving.presence import listener_pid_file
from sendit.web.roles import Role
from tests.support.dicom_network import PEERS, dcmtk, wait
from tests.support.pages import a_user, signed_in, web_settings
from tests.support.phantoms import accession_number, make_study
from tests.support.site import Site
from topology.servers import free_ports


@pytest.fixture
def port(site: Site) -> Iterator[int]:
    """The port of a site whose listener and watcher are stopped at the end."""
    (port,) = free_ports(1)
    (site.var / "peers.toml").write_text(PEERS)
    site.set(LISTENER_PORT=port, LISTENER_QUIET_SECONDS=0.5, LISTENER_MIN_FREE_MB=1)
    yield port
    assert site.run("stop_listener").returncode in (0, 1)
    assert site.run("stop_watcher").returncode in (0, 1)


def send(port: int, *paths: Path) -> None:
    done = dcmtk("storescu", "-aec", "SENDIT", "-aet", "STORESCU", "127.0.0.1", port, "+sd", "+r", *paths)
    assert done.returncode == 0, done.stdout


def test_what_is_sent_is_delivered_without_a_further_command(site: Site, port: int, tmp_path: Path) -> None:
    for command in ("start_listener", "start_watcher"):
        done = site.run(command)
        assert done.returncode == 0, done.stderr
    for number in (1, 2):
        make_study(tmp_path / "out" / str(number), number=number, images=3)
    send(port, tmp_path / "out")
    wait(lambda: Batch.objects.filter(state="DONE").count() == 2)
    assert {path.name for path in site.data.iterdir() if ".tmp" not in path.name} == {
        accession_number(1),
        accession_number(2),
    }
    assert Event.objects.filter(name="batch.received").count() == 2


def test_a_late_series_is_delivered_as_the_next_part(site: Site, port: int, tmp_path: Path) -> None:
    for command in ("start_listener", "start_watcher"):
        assert site.run(command).returncode == 0
    make_study(tmp_path / "first", number=1, images=3)
    send(port, tmp_path / "first")
    wait(lambda: Batch.objects.filter(state="DONE").count() == 1)
    make_study(tmp_path / "whole", number=1, images=5)
    send(port, tmp_path / "whole")
    wait(lambda: Batch.objects.filter(state="DONE").count() == 2)
    parts = Delivery.objects.filter(state="DONE").order_by("part").values_list("part", flat=True)
    assert list(parts) == [1, 2]
    late = Batch.objects.latest("pk")
    assert Image.objects.filter(batch=late, outcome=Outcome.DELIVERED).count() == 2
    answer = site.run("query", "SELECT parts, image_count FROM study")
    assert answer.returncode == 0 and answer.stdout.split()[3:5] == ["2", "5"]


def test_a_person_starts_and_stops_it_on_the_page(site: Site, port: int, tmp_path: Path) -> None:
    with web_settings():
        browser = signed_in(a_user(Role.OPERATOR))
        assert "Start the listener" in browser.get("/overview").content.decode()
        browser.post("/listener/start")
        page = browser.get("/overview").content.decode()
        assert "The listener runs." in page and "Stop the listener" in page
        make_study(tmp_path / "out", number=1, images=1)
        send(port, tmp_path / "out")
        browser.post("/listener/stop")
        assert "The listener has stopped." in browser.get("/overview").content.decode()


def test_one_listener_runs_at_a_time_and_stops_when_asked(site: Site, port: int) -> None:
    assert site.run("start_listener").returncode == 0
    second = site.run("start_listener")
    assert second.returncode == 2 and "ListenerRuns" in second.stderr
    stopped = site.run("stop_listener")
    assert stopped.returncode == 0 and "has stopped" in stopped.stdout
    assert site.run("stop_listener").returncode == 1
    log = (site.var / "logs" / "listener.log").read_text()
    assert f"listener.started pid={stopped.stdout.split('pid ')[1].split(')')[0]} port={port}" in log
    assert "listener.stopped" in log


def test_a_listener_does_not_start_without_peers_or_on_a_port_in_use(site: Site, port: int) -> None:
    (site.var / "peers.toml").write_text('[peers.a]\ncalled = "A"\ncalling = "B"\naddresses = ["nowhere"]\n')
    done = site.run("start_listener", "--foreground")
    assert done.returncode == 2 and "BadPeers (a: addresses" in done.stderr
    (site.var / "peers.toml").write_text(PEERS)
    site.set(LISTENER_HOST="203.0.113.1")
    done = site.run("start_listener", "--foreground")
    assert done.returncode == 2 and "PortTaken" in done.stderr


def test_a_killed_listener_is_followed_by_one_that_takes_up_what_had_landed(
    site: Site, port: int, tmp_path: Path
) -> None:
    site.set(LISTENER_QUIET_SECONDS=600)
    assert site.run("start_listener").returncode == 0
    make_study(tmp_path / "out", number=1, images=3)
    send(port, tmp_path / "out")
    holder = listener_pid_file(site.var).holder()
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    wait(lambda: listener_pid_file(site.var).holder() is None)
    site.set(LISTENER_QUIET_SECONDS=0.2)
    assert site.run("start_listener").returncode == 0
    wait(lambda: (site.data / accession_number(1)).is_dir())
    assert len(list((site.data / accession_number(1)).iterdir())) == 3
    assert "listener.died" in (site.var / "logs" / "listener.log").read_text()
