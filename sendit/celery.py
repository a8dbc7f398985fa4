"""The Celery app, where `celery -A sendit worker` and `celery -A sendit beat` look for it.

A message says that there may be work, and its loss, doubling or delay changes nothing: the database says what is to be
done (`pipeline.leases`). So there are no results, retries or time limits here. Embedded, nobody imports this.
"""

from __future__ import annotations

import os

import django
from celery import Celery
from django.apps import apps
from django.conf import settings

from sendit.ground import core_dumps

core_dumps.forbid()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sendit.settings")
if not apps.ready:
    django.setup()

RING_SECONDS = 1.0
"""How often beat rings each doorbell."""

REDELIVERY_SECONDS = max(600, 10 * settings.SITE.lease_seconds)
"""When the broker gives a message again whose worker has not ended it. That is one ring too many; the batches
of a dead worker have been taken over long before."""

app = Celery(
    "sendit", fixups=set(), broker=settings.SITE.broker, set_as_current=True
)  # Django is looked after in `tasks`
app.conf.update(
    imports=["sendit.pipeline.workforce.tasks"],
    # what a message is
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    # where it goes
    task_default_queue="process",
    task_create_missing_queues=False,
    task_queues={"process": {"exchange": "process"}, "deliver": {"exchange": "deliver"}},
    # when it ends
    task_acks_late=True,
    task_acks_on_failure_or_timeout=True,
    task_reject_on_worker_lost=False,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # a broker that goes and comes
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=4,
    task_publish_retry=False,
    broker_transport_options={
        "visibility_timeout": REDELIVERY_SECONDS,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 4,
        "socket_timeout": 15,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    # beat rings
    beat_schedule={
        f"ring-{queue}": {"task": "sendit.work", "schedule": RING_SECONDS, "options": {"queue": queue}}
        for queue in ("process", "deliver")
    },
    beat_schedule_filename=str(settings.SITE.var / "beat"),
    beat_scheduler="sendit.pipeline.workforce.beat:Scheduler",
    # its messages and ours
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_send_task_events=False,
    worker_proc_alive_timeout=60,
    timezone="UTC",
)
