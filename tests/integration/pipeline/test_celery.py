"""Celery on a real broker and PostgreSQL: what a message is, that its fate changes nothing, and who sends it when."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from sendit.celery import REDELIVERY_SECONDS, RING_SECONDS, app
from sendit.errors import ServiceDown
from sendit.pipeline.record.leases import Job
from sendit.pipeline.record.models import Batch, Event
from sendit.pipeline.workforce import choice, doorbell, tasks
from tests.support.aftermath import everything_is_right, leftovers
from tests.support.servers import Cluster, Valkey, wait_until
from tests.support.shell import run
from tests.support.site import Site

pytestmark = pytest.mark.on_postgres

LARGE = (1, 1024, 1024)


def messages(valkey: Valkey, queue: str = "process") -> list[dict[str, Any]]:
    """The messages that wait, the next one first."""
    found: Any = valkey.client.lrange(queue, 0, -1)
    return [json.loads(text) for text in reversed(found)]


def rung(valkey: Valkey) -> tuple[int, int]:
    """How many rings wait at each doorbell."""
    return len(messages(valkey)), len(messages(valkey, "deliver"))


@pytest.fixture
def hears() -> Iterator[Callable[[str], None]]:
    """Has this process hear some doorbells only, as a worker does by `-Q`; in the end all again."""

    def choose(queues: str) -> None:
        app.amqp.queues.select(queues.split(","))

    yield choose
    app.amqp.queues._consume_from = None


def queued(number: int) -> list[int]:
    """So many batches in QUEUE, without a folder."""
    start = Batch.objects.count()
    Batch.objects.bulk_create(
        Batch(state="QUEUE", folder_digest=str(n), uid_digest=str(n)) for n in range(start, start + number)
    )
    return list(Batch.objects.order_by("pk").values_list("pk", flat=True))[start:]


def all_are(state: str) -> bool:
    return not Batch.objects.exclude(state=state).exists()


# ------------------------------------------------------------------------------------------ what a message is


def test_a_message_says_that_there_may_be_work_and_nothing_else(site: Site, valkey: Valkey) -> None:
    site.study(1)
    assert "1 batch in QUEUE" in run("start_queue").out
    (message,) = messages(valkey)
    assert (message["content-type"], message["content-encoding"]) == ("application/json", "utf-8")
    assert json.loads(base64.b64decode(message["body"]))[:2] == [[], {}]
    assert message["headers"]["task"] == "sendit.work"
    assert (message["headers"]["argsrepr"], message["headers"]["kwargsrepr"]) == ("()", "{}")
    assert message["headers"]["ignore_result"] is True


def test_the_promises_of_the_configuration() -> None:
    conf = app.conf
    assert (conf.task_acks_late, conf.worker_prefetch_multiplier, conf.accept_content) == (True, 1, ["json"])
    assert (conf.task_ignore_result, conf.result_backend, conf.task_serializer) == (True, None, "json")
    assert {queue.name for queue in app.amqp.queues.values()} == {"process", "deliver"}
    assert conf.broker_transport_options["visibility_timeout"] == REDELIVERY_SECONDS >= 10 * settings.SITE.lease_seconds
    assert conf.broker_connection_max_retries is None


def test_a_task_returns_nothing_and_leaves_no_result(site: Site, valkey: Valkey) -> None:
    site.study(1, images=1)
    site.queue()
    assert tasks.work.apply().result is None
    assert Batch.objects.get().state == "DONE"
    assert not any(b"result" in key or b"meta" in key for key in valkey.client.scan_iter())


def test_an_embedded_site_loads_no_celery() -> None:
    program = (
        "import django; django.setup();"
        "import sendit.pipeline.workforce.nursery, sendit.pipeline.intake.watcher, sys;"
        "from sendit.pipeline.management.commands import retry, start_queue, start_watcher, status, upload_finished;"
        "from sendit.pipeline.workforce.choice import Job, messages, wake, workforce;"
        "wake(Job.PROCESS); messages(); workforce();"
        "print({name.split('.')[0] for name in sys.modules} & {'celery', 'kombu', 'redis', 'psycopg'})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ------------------------------------------------------------------------------------------ who rings when


def test_start_queue_upload_finished_and_retry_ring(site: Site, valkey: Valkey, hears: Callable[[str], None]) -> None:
    site.set(SEND_TO_GOOGLE=False)
    site.study(1, images=1)
    site.study(2, images=1, patients=1)
    broken = site.study(3, images=2, patients=2)
    assert run("start_queue", "--number", "all").code == 0
    assert rung(valkey) == (1, 0)
    tasks.work.apply()
    assert Batch.objects.counts()["DONEPROCESSING"] == 2
    valkey.client.flushall()
    site.set(SEND_TO_GOOGLE=True)
    assert "2 batches in DONEPROCESSING; Celery's workers deliver them." in run("upload_finished").out
    assert rung(valkey) == (0, 1)
    assert broken.is_dir() and run("retry", "--all-errors").code == 0
    assert rung(valkey) == (1, 1)


def test_a_worker_works_until_nothing_is_left_and_delivers_what_it_processed(site: Site, valkey: Valkey) -> None:
    for number in range(3):
        site.study(number, images=1)
    site.queue()
    tasks.work.apply()
    everything_is_right(site, images=1)
    names = list(Event.objects.filter(batch=Batch.objects.earliest("pk")).order_by("pk").values_list("name", flat=True))
    assert names[-4:] == ["batch.claimed", "batch.processed", "batch.claimed", "batch.delivered"]


def test_a_worker_that_does_not_deliver_rings_for_those_who_do(
    site: Site, valkey: Valkey, hears: Callable[[str], None]
) -> None:
    site.study(1, images=1)
    site.queue()
    hears("deliver")
    tasks.work.apply()
    assert Batch.objects.get().state == "QUEUE"
    hears("process")
    tasks.work.apply()
    assert Batch.objects.get().state == "DONEPROCESSING"
    assert rung(valkey)[1] == 1
    hears("deliver")
    tasks.work.apply()
    everything_is_right(site, images=1)


def test_a_worker_that_found_something_rings_again_for_there_may_be_more(
    site: Site, valkey: Valkey, hears: Callable[[str], None]
) -> None:
    hears("process")
    tasks.work.apply()
    assert rung(valkey) == (0, 0)
    site.study(1, images=1)
    site.queue()
    tasks.work.apply()
    assert rung(valkey)[0] == 1


def test_a_doorbell_that_nobody_has_heard_is_not_rung_again(site: Site, valkey: Valkey) -> None:
    for _ in range(3):
        doorbell.ring(Job.PROCESS)
    assert rung(valkey) == (1, 0)
    with choice.workforce() as workers:
        for _ in range(3):
            workers.wake()
    assert rung(valkey) == (1, 1)
    valkey.client.delete("process")
    doorbell.ring(Job.PROCESS)
    assert rung(valkey) == (1, 1)


def test_what_beat_rings_does_not_pile_up_where_nobody_reads(site: Site, valkey: Valkey, cluster: Cluster) -> None:
    cluster.run("-m", "celery", "-A", "sendit", "beat")
    wait_until(lambda: rung(valkey) == (1, 1))
    time.sleep(3 * RING_SECONDS)
    assert rung(valkey) == (1, 1)
    valkey.client.delete("process")
    wait_until(lambda: rung(valkey) == (1, 1), 5)


def test_what_waits_for_a_service_is_not_claimed_before_its_time(site: Site, valkey: Valkey) -> None:
    site.study(1, images=1)
    site.queue()
    Batch.objects.update(not_before=timezone.now() + timezone.timedelta(minutes=9))
    tasks.work.apply()
    assert Batch.objects.get().state == "QUEUE"


# ------------------------------------------------------------------------------------------ what becomes of it


def test_a_ring_that_comes_twice_late_or_for_nothing_changes_nothing(site: Site, valkey: Valkey) -> None:
    tasks.work.apply()
    site.study(1, images=1)
    site.queue()
    for _ in range(3):
        tasks.work.apply()
    everything_is_right(site, images=1)
    counted = Counter(Event.objects.values_list("name", flat=True))
    assert (counted["batch.claimed"], counted["batch.processed"], counted["batch.delivered"]) == (2, 1, 1)


def test_a_broker_that_is_away_costs_nothing_and_is_seen(site: Site, valkey: Valkey) -> None:
    site.study(1, images=1)
    valkey.end()
    try:
        ran = run("start_queue")
        assert (ran.code, ran.err.partition(":")[0]) == (1, "BrokerDown")
        seen = run("status")
        assert seen.code == 1 and "broker     BrokerDown: The broker does not answer" in seen.out
        with pytest.raises(ServiceDown):
            doorbell.rings()
    finally:
        valkey.start()
    assert Batch.objects.get().state == "QUEUE"
    assert run("start_queue").code == 0
    assert rung(valkey) == (1, 0)
    seen = run("status")
    assert seen.code == 0 and "broker     answers; messages: process 1, deliver 0" in seen.out


def test_work_goes_on_while_the_broker_is_away(site: Site, valkey: Valkey) -> None:
    for number in range(3):
        site.study(number, images=1)
    site.queue()
    valkey.end()
    try:
        tasks.work.apply()
    finally:
        valkey.start()
    everything_is_right(site, images=1)


def test_a_broker_that_is_full_costs_nothing_and_is_seen(site: Site, valkey: Valkey) -> None:
    valkey.client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(ServiceDown, match="BrokerDown"):
            doorbell.ring(Job.PROCESS)
        assert run("retry", "--all-errors").code == 1
    finally:
        valkey.client.config_set("maxmemory", "0")
    doorbell.ring(Job.PROCESS)
    assert rung(valkey) == (1, 0)


# ------------------------------------------------------------------------------------------ a real worker


def test_batches_go_all_the_way_through_a_real_worker_which_puts_back_what_it_has_when_asked_to_stop(
    site: Site, valkey: Valkey, cluster: Cluster
) -> None:
    worker = cluster.worker()
    for number in range(6):
        site.study(number, images=2)
    assert run("start_queue", "--number", "all").code == 0
    wait_until(lambda: all_are("DONE"))
    everything_is_right(site, images=2)
    counted = Counter(Event.objects.values_list("name", flat=True))
    assert (counted["batch.claimed"], counted["batch.taken_over"], counted["batch.delivered"]) == (12, 0, 6)

    site.study(9, images=40, pixels=LARGE)
    run("start_queue")
    wait_until(lambda: list(site.outbox.glob(".*/.*.tar.gz.*")), why="it does not begin")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    batch = Batch.objects.latest("pk")
    assert (batch.state, batch.attempts, batch.lease_token) == ("QUEUE", 0, "")
    assert batch.events.latest("pk").fields["reason"] == "stopped"
    assert leftovers(site) == []
    said = cluster.said()
    assert "worker.started pid=" in said and said.count("batch.delivered") == 6
    assert "Traceback" not in said


def test_a_worker_says_when_it_does_not_see_the_broker_and_when_it_does_again(
    site: Site, valkey: Valkey, cluster: Cluster
) -> None:
    worker = cluster.worker()
    wait_until(lambda: "worker.started" in cluster.said(), 60)
    valkey.end()
    wait_until(lambda: "worker.blind code=BrokerDown" in cluster.said(), 60)
    valkey.start()
    wait_until(lambda: "worker.sees code=BrokerDown" in cluster.said(), 60)
    site.study(1, images=1)
    assert run("start_queue").code == 0
    wait_until(lambda: all_are("DONE"), 60)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert cluster.said().count("code=BrokerDown") == 2


def test_a_worker_that_is_started_before_the_broker_says_so_and_waits(
    site: Site, valkey: Valkey, cluster: Cluster
) -> None:
    valkey.end()
    cluster.worker()
    wait_until(lambda: "worker.blind code=BrokerDown" in cluster.said(), 60)
    valkey.start()
    wait_until(lambda: "worker.sees code=BrokerDown" in cluster.said(), 60)
