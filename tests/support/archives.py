"""Archives for tests of what takes them: whole images in a tar, each with its UIDs."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from tests.support.phantoms import make_study


@dataclass(frozen=True)
class Archive:
    """An archive and the SOP Instance UIDs in it."""

    path: Path
    study: str
    instances: frozenset[str]


def make_archive(folder: Path, images: int = 5, number: int = 1, base: str = "CT_small.dcm") -> Archive:
    """An archive of the numbered phantom's images, in two series, as a worker has one in its outbox."""
    made = make_study(folder / f"study{number}-{images}", images=images, series=2, number=number, base=base)
    path = folder / f"p_20100209_s{number}.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for file in made:
            tar.add(file, f"p_s{number}/{file.name}")
    headers = [dcmread(file, stop_before_pixels=True) for file in made]
    return Archive(path, str(headers[0].StudyInstanceUID), frozenset(str(ds.SOPInstanceUID) for ds in headers))
