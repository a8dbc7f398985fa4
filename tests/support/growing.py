"""Study folders that grow: images by their instance numbers, and what a site has of them at its destination."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.phantoms import make_study
from tests.support.site import Site

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


def add(folder: Path, *instances: int, number: int = 1, **attributes: Any) -> list[Path]:
    """Add images of the numbered study to a folder, by their instance numbers."""
    made = folder.parent / ".made"
    make_study(made, images=max(instances), number=number, **attributes)
    folder.mkdir(exist_ok=True)
    files = sorted(made.iterdir())
    added = [shutil.copy2(files[instance - 1], folder / f"{instance:04}.dcm") for instance in instances]
    shutil.rmtree(made)
    return [Path(path) for path in added]


def work(site: Site) -> list[Any]:
    """Take up what is there, process and deliver it in this process; all batches."""
    from sendit.pipeline.record.models import Batch

    Batch.objects.filter(state__in=("QUEUE", "DONEPROCESSING")).update(not_before=BEGINNING)
    site.process()
    site.deliver()
    return list(Batch.objects.order_by("pk"))


def stored(site: Site) -> list[str]:
    """What the store has, but for its own files."""
    root = site.settings.store_folder
    found = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(str(path.relative_to(root)) for path in found)


def suffixes(site: Site) -> list[str]:
    """The ends of the archives' names, behind the study's pseudonym."""
    names = (Path(name).name for name in stored(site) if name.endswith(".tar.gz") and not name.startswith(".metadata"))
    return sorted(name.split("_")[2].partition(".")[2] for name in names)


def in_warehouse(site: Site) -> list[tuple[int, int, int]]:
    """Generation, part and images of each archive that has rows."""
    sql = "SELECT generation, part, count(*) FROM instance GROUP BY ALL ORDER BY ALL"
    images = [(int(str(row[0])), int(str(row[1])), int(str(row[2]))) for row in site.ports.warehouse.query(sql).rows]
    sql = "SELECT generation, part, image_count FROM dicom ORDER BY ALL"
    studies = [(int(str(row[0])), int(str(row[1])), int(str(row[2]))) for row in site.ports.warehouse.query(sql).rows]
    assert len(images) <= len(studies)
    return studies


def traces(site: Site, *words: str) -> list[str]:
    """Files of stores, warehouse, outbox, logs and temporary places in which a word stands, or is in their names."""
    found = []
    for path in sorted(site.var.rglob("*")):
        if "secrets" in path.parts or path.name.startswith("sendit.sqlite3"):
            continue  # the gateway's own history may name what it was
        content = path.read_bytes() if path.is_file() else b""
        if any(word in str(path.relative_to(site.var)) or word.encode() in content for word in words):
            found.append(str(path.relative_to(site.var)))
    return found
