"""What must be true after any fault."""

from __future__ import annotations

import hashlib

from tests.support.site import Site

LOCKS = (".migrate.lock", ".lock", ".reading")


def everything_is_right(site: Site, images: int) -> None:
    """Every batch is DONE, each archive and row is there once with the right bytes, and nothing else is."""
    from sendit.pipeline.record.models import Batch
    from sendit.pipeline.stages.archive import read_member

    for batch in Batch.objects.order_by("pk"):
        assert batch.state == "DONE", batch.errors
        assert (
            batch.found
            == batch.delivered + batch.filtered + batch.in_review + batch.errored
            == batch.images.count()
            == images
        )
        (delivery,) = batch.deliveries.all()
        assert delivery.state == "DONE" and delivery.size_bytes == batch.archive_bytes
        content = site.ports.object_store.read(delivery.object_name, 0, delivery.size_bytes)
        for image in batch.images.all():
            name, data = read_member(lambda o, n, of=content: of[o : o + n], image.offset, image.length)
            assert (name, hashlib.sha256(data).hexdigest()) == (image.member, image.sha256)
        rows = site.ports.warehouse.query(
            f"SELECT count(*), count(DISTINCT member) FROM instance WHERE object_name = '{delivery.object_name}'"
        )
        assert rows.rows[0] == (images, images)
    batches = Batch.objects.count()
    assert site.ports.warehouse.query("SELECT count(*), count(DISTINCT object_name) FROM dicom").rows[0] == (
        batches,
        batches,
    )
    assert leftovers(site) == []


def leftovers(site: Site) -> list[str]:
    """Temporary files, and what waits for delivery."""
    hidden = [path for path in site.var.rglob(".*") if path.is_file() and path.name not in LOCKS]
    drafts = list(site.var.rglob("*.tmp"))
    incoming = [path for folder in site.var.rglob(".incoming") for path in folder.iterdir()]
    return sorted(str(path.relative_to(site.var)) for path in {*hidden, *drafts, *incoming, *site.outbox.iterdir()})
