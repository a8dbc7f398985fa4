"""A study folder on its way: from files to the archive, the rows and the account of every file."""

from __future__ import annotations

import tarfile

from sendit.pipeline.models import Batch, Image
from tests.site import Site


def test_a_study_becomes_one_archive_and_its_rows(site: Site) -> None:
    site.study(images=5)
    (batch,) = site.process()
    assert (batch.state, batch.errors) == ("DONEPROCESSING", [])
    assert (batch.found, batch.delivered, batch.filtered, batch.errored) == (5, 5, 0, 0)
    (batch,) = site.deliver()
    assert batch.state == "DONE"
