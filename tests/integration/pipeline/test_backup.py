"""Back up and restore, as docs/operations.md says: by PostgreSQL's own programs, and what came after the dump again."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection

from sendit.pipeline.record.models import Batch
from tests.support.aftermath import everything_is_right
from tests.support.servers import Postgres
from tests.support.site import Site, use_database

pytestmark = pytest.mark.on_postgres


def test_what_was_delivered_after_the_dump_ends_as_the_same_object_and_rows(
    site: Site, postgres: Postgres, tmp_path: Path
) -> None:
    for number in (1, 2):
        site.study(number, images=2)
    site.process()
    site.deliver()
    dump = postgres.run("pg_dump", "-Fc", connection.settings_dict["NAME"])
    site.study(3, images=2)
    site.process()
    site.deliver()
    objects = {path: path.read_bytes() for path in site.settings.store_folder.rglob("*.tar.gz")}
    restored = postgres.create("template1")
    postgres.run("pg_restore", "-d", restored, given=dump)
    with use_database(postgres.url(restored)):
        assert Batch.objects.counts()["DONE"] == 2
        site.process()
        site.deliver()
        everything_is_right(site, images=2)
        assert Batch.objects.count() == 3
    assert {path: path.read_bytes() for path in site.settings.store_folder.rglob("*.tar.gz")} == objects
