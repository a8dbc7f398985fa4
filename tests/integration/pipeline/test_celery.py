"""Celery on a real broker and PostgreSQL: what a message is, that its fate changes nothing, and who sends it when."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from sendit.celery import DISPATCH_SECONDS, REDELIVERY_SECONDS, app
from sendit.errors import ServiceDown
from sendit.pipeline import dispatch, tasks
from sendit.pipeline.dispatch import AHEAD
from sendit.pipeline.leases import Job
from sendit.pipeline.models import Batch, Event
from tests.aftermath import everything_is_right, leftovers
from tests.servers import Cluster, Valkey, wait_until
from tests.shell import run
from tests.site import Site

pytestmark = pytest.mark.on_postgres

LARGE = (1, 1024, 1024)


def messages(valkey: Valkey, queue: str = "process") -> list[dict[str, Any]]:
    """The messages that wait, the next one first."""
    found: Any = valkey.client.lrange(queue, 0, -1)
    return [json.loads(text) for text in reversed(found)]


def keys(valkey: Valkey, queue: str = "process") -> list[int]:
    """The primary keys that they carry."""
    return [json.loads(base64.b64decode(message["body"]))[0][0] for message in messages(valkey, queue)]


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


def test_a_message_is_a_primary_key_in_json(site: Site, valkey: Valkey) -> None:
    site.study(1)
    assert "1 batch in QUEUE" in run("start_queue").out
    (message,) = messages(valkey)
    batch = Batch.objects.get()
    assert (message["content-type"], message["content-encoding"]) == ("application/json", "utf-8")
    assert json.loads(base64.b64decode(message["body"]))[:2] == [[batch.pk], {}]
    assert message["headers"]["task"] == "sendit.process"
    assert (message["headers"]["argsrepr"], message["headers"]["ignore_result"]) == (f"({batch.pk},)", True)


def test_the_promises_of_the_configuration() -> None:
    conf = app.conf
    assert (conf.task_acks_late, conf.worker_prefetch_multiplier, conf.accept_content) == (True, 1, ["json"])
    assert (conf.task_ignore_result, conf.result_backend, conf.task_serializer) == (True, None, "json")
    assert {queue.name for queue in app.amqp.queues.values()} == {"process", "deliver"}
    assert conf.broker_transport_options["visibility_timeout"] == REDELIVERY_SECONDS >= 10 * settings.LEASE_SECONDS
    assert conf.broker_connection_max_retries is None


def test_a_task_returns_nothing_and_leaves_no_result(site: Site, valkey: Valkey) -> None:
    site.study(1, images=1)
    (pk,) = site.queue()
    assert tasks.process.apply(args=(pk,)).result is None
    assert Batch.objects.get().state == "DONEPROCESSING"
    assert not any(b"result" in key or b"meta" in key for key in valkey.client.scan_iter())


def test_an_embedded_site_loads_no_celery() -> None:
    program = (
        "import django; django.setup();"
        "import sendit.pipeline.nursery, sendit.pipeline.watcher, sys;"
        "from sendit.pipeline.management.commands import retry, start_queue, start_watcher, status, upload_finished;"
        "from sendit.pipeline.workforce import Job, messages, wake, workforce;"
        "wake(Job.PROCESS); messages(); workforce();"
        "print({name.split('.')[0] for name in sys.modules} & {'celery', 'kombu', 'redis', 'psycopg'})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ------------------------------------------------------------------------------------------ who sends it when


def test_start_queue_upload_finished_and_retry_send(site: Site, valkey: Valkey) -> None:
    site.set(SEND_TO_GOOGLE=False)
    site.study(1, images=1)
    site.study(2, images=1, patients=1)
    broken = site.study(3, images=2, patients=2)
    assert run("start_queue", "--number", "all").code == 0
    assert keys(valkey) == list(Batch.objects.order_by("pk").values_list("pk", flat=True))
    for pk in keys(valkey):
        tasks.process.apply(args=(pk,))
    valkey.client.flushall()
    assert dispatch.depths() == {"process": 0, "deliver": 0}, "SEND_TO_GOOGLE is off"
    site.set(SEND_TO_GOOGLE=True)
    assert "2 batches in DONEPROCESSING; Celery's workers deliver them." in run("upload_finished").out
    assert len(keys(valkey, "deliver")) == 2
    assert broken.is_dir() and run("retry", "--all-errors").code == 0
    assert keys(valkey) == [Batch.objects.get(state="QUEUE").pk]


def test_a_batch_that_was_processed_is_sent_on_at_once(site: Site, valkey: Valkey) -> None:
    site.study(1, images=1)
    (pk,) = site.queue()
    tasks.process.apply(args=(pk,))
    assert keys(valkey, "deliver") == [pk]
    tasks.deliver.apply(args=(pk,))
    everything_is_right(site, images=1)


def test_the_oldest_are_sent_first_each_once_and_never_more_than_the_broker_is_to_hold(
    site: Site, valkey: Valkey
) -> None:
    rows = queued(AHEAD + 50)
    assert dispatch.dispatch(Job.PROCESS) == AHEAD
    assert dispatch.dispatch(Job.PROCESS) == 0
    assert keys(valkey) == rows[:AHEAD]
    gone = AHEAD // 2
    valkey.client.rpop("process", gone)
    for pk in rows[:gone]:
        dispatch.begun(Job.PROCESS, pk)
    Batch.objects.filter(pk__in=rows[:gone]).update(state="EMPTY")
    tasks.send.apply(args=("process",))
    assert keys(valkey) == rows[gone:]


def test_a_batch_for_which_there_was_no_room_has_its_turn_as_soon_as_there_is(site: Site, valkey: Valkey) -> None:
    valkey.client.lpush("process", *[b"another's"] * AHEAD)
    (pk,) = queued(1)
    dispatch.send(Job.PROCESS, pk)
    assert valkey.client.llen("process") == AHEAD
    valkey.client.delete("process")
    assert dispatch.dispatch(Job.PROCESS) == 1
    assert keys(valkey) == [pk]


def test_what_beat_asks_for_does_not_pile_up_where_nobody_reads(site: Site, valkey: Valkey, cluster: Cluster) -> None:
    def asked() -> list[str]:
        return [message["headers"]["task"] for queue in dispatch.QUEUES.values() for message in messages(valkey, queue)]

    cluster.run("-m", "celery", "-A", "sendit", "beat")
    wait_until(lambda: len(asked()) == 2)
    time.sleep(3 * DISPATCH_SECONDS)
    assert asked() == ["sendit.dispatch"] * 2
    valkey.client.delete("process")
    wait_until(lambda: len(asked()) == 2, 5)


def test_what_waits_for_a_service_is_not_sent_before_its_time(site: Site, valkey: Valkey) -> None:
    queued(2)
    Batch.objects.filter(pk=queued(1)[0]).update(not_before=timezone.now() + timezone.timedelta(hours=1))
    assert dispatch.dispatch(Job.PROCESS) == 2


# ------------------------------------------------------------------------------------------ what becomes of it


def test_a_lost_message_is_sent_again(site: Site, valkey: Valkey) -> None:
    site.set(LEASE_SECONDS=1)
    (pk,) = queued(1)
    dispatch.dispatch(Job.PROCESS)
    valkey.client.delete("process")
    assert dispatch.dispatch(Job.PROCESS) == 0, "it may be in a worker's hands"
    wait_until(lambda: dispatch.dispatch(Job.PROCESS) == 1, 5)
    assert keys(valkey) == [pk]


def test_a_broker_that_lost_everything_gets_it_again_at_once(site: Site, valkey: Valkey) -> None:
    rows = queued(3)
    dispatch.dispatch(Job.PROCESS)
    valkey.client.flushall()
    assert dispatch.dispatch(Job.PROCESS) == 3
    assert keys(valkey) == rows


def test_a_message_that_comes_twice_or_late_changes_nothing(site: Site, valkey: Valkey) -> None:
    site.study(1, images=1)
    (pk,) = site.queue()
    for task in (tasks.deliver, tasks.process, tasks.process, tasks.deliver, tasks.deliver, tasks.process):
        task.apply(args=(pk,))
    everything_is_right(site, images=1)
    counted = Counter(Event.objects.values_list("name", flat=True))
    assert (counted["batch.claimed"], counted["batch.processed"], counted["batch.delivered"]) == (2, 1, 1)
    tasks.process.apply(args=(pk + 1,))


def test_a_broker_that_is_away_costs_nothing_and_is_seen(site: Site, valkey: Valkey) -> None:
    site.study(1, images=1)
    valkey.end()
    try:
        ran = run("start_queue")
        assert (ran.code, ran.err.partition(":")[0]) == (1, "BrokerDown")
        seen = run("status")
        assert seen.code == 1 and "broker     BrokerDown: The broker does not answer" in seen.out
        with pytest.raises(ServiceDown):
            dispatch.depths()
    finally:
        valkey.start()
    assert Batch.objects.get().state == "QUEUE"
    tasks.send.apply(args=("process",))
    assert len(keys(valkey)) == 1
    seen = run("status")
    assert seen.code == 0 and "broker     answers; messages: process 1, deliver 0" in seen.out


def test_a_broker_that_is_full_costs_nothing_and_is_seen(site: Site, valkey: Valkey) -> None:
    rows = queued(5)
    valkey.client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(ServiceDown, match="BrokerDown"):
            dispatch.dispatch(Job.PROCESS)
        assert run("retry", "--all-errors").code == 1
    finally:
        valkey.client.config_set("maxmemory", "0")
    assert dispatch.dispatch(Job.PROCESS) == 5
    assert keys(valkey) == rows


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
    wait_until(lambda: list(settings.OUTBOX.glob(".*/.*.tar.gz.*")), why="it does not begin")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    batch = Batch.objects.latest("pk")
    assert (batch.state, batch.attempts, batch.lease_token) == ("QUEUE", 0, "")
    assert batch.events.latest("pk").fields["reason"] == "stopped"
    assert leftovers(site) == []
    said = cluster.said()
    assert "worker.started pid=" in said and said.count("batch.delivered") == 6
    assert "Traceback" not in said
