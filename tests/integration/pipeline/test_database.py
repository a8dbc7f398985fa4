"""What is rolled back has not happened, and a database of a newer sendit is left alone."""

from __future__ import annotations

import logging

import pytest
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from sendit.errors import Misconfigured
from sendit.ground import database
from sendit.pipeline.record import history
from sendit.pipeline.record.models import Event
from tests.support.site import Site

pytestmark = pytest.mark.on_both_databases


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "sendit"]


def test_an_event_that_was_rolled_back_is_not_in_the_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.study(images=1)
    (pk,) = site.queue()
    caplog.clear()
    with caplog.at_level(logging.INFO, "sendit"), pytest.raises(ZeroDivisionError), transaction.atomic():
        history.record("batch.claimed", pk, state="PROCESSING", attempt=1)
        raise ZeroDivisionError
    assert logged(caplog) == [] and not Event.objects.filter(name="batch.claimed").exists()
    with caplog.at_level(logging.INFO, "sendit"), transaction.atomic():
        history.record("batch.claimed", pk, state="PROCESSING", attempt=1)
        assert logged(caplog) == [], "nobody else sees it yet"
    assert logged(caplog) == ["batch.claimed"]


@pytest.mark.parametrize("app", ["pipeline", "identity_service"])
def test_a_database_that_a_newer_sendit_migrated_is_refused(site: Site, app: str) -> None:
    database.make_ready()
    MigrationRecorder(connection).record_applied(app, "9999_of_a_newer_sendit")
    with pytest.raises(Misconfigured) as raised:
        database.make_ready()
    assert (raised.value.code, raised.value.count) == ("DatabaseNewer", 1)


def test_migrations_of_what_is_not_installed_are_not_ours(site: Site) -> None:
    MigrationRecorder(connection).record_applied("somebody_elses", "0001_initial")
    database.make_ready()
