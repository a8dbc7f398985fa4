"""One patient in three projects: somebody who has all that was delivered to two of them tries to link the patient."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID_dictionary

from sendit.pipeline.record.models import Batch
from tests.support.phantoms import make_study, uid
from tests.support.site import Site

PROJECTS = ("default", "heart", "lung")
KEY = bytes(range(32)).hex().encode()
"""One of the site's that is always the same: among 730 shifts, two of a random key's would be the same now and then."""
DATES = {"DA", "DT"}


@dataclass(frozen=True)
class Delivered:
    """All that a recipient of one project has."""

    names: list[str]
    images: list[Dataset]
    rows: list[tuple[object, ...]]
    digests: set[str]
    """SHA-256 of images, checksums of archives."""

    def values(self, *vrs: str) -> set[str]:
        """The values of these VRs in all images, however deep."""
        return {
            str(value)
            for image in self.images
            for ds in (image.file_meta, image)
            for elem in ds.iterall()
            if elem.VR in vrs and elem.value
            for value in ([elem.value] if elem.VM < 2 else elem.value)
        }

    def tokens(self) -> set[str]:
        """What object names, members and rows consist of."""
        words = {word for name in self.names for word in re.split(r"[/_.]", name)}
        return words | {str(value) for row in self.rows for value in row if isinstance(value, str)}


@pytest.fixture
def delivered(site: Site, tmp_path: Path) -> dict[str, Delivered]:
    (site.var / "secrets" / "pseudonym.key").write_bytes(KEY)
    for name in PROJECTS[1:]:
        site.project(name, f'destinations = ["file://{tmp_path}/{name}/store"]\n')
    for number, day in ((1, "20240105"), (2, "20240312")):
        make_study(
            site.data / f"study {number}",
            number=7,
            images=2 if number == 1 else 1,
            AccessionNumber=f"Q{number}",
            StudyInstanceUID=uid(number),
            SeriesInstanceUID=uid(number, 1),
            StudyDate=day,
            SeriesDate=day,
            AcquisitionDate=day,
            ContentDate=day,
            **({"SOPInstanceUID": uid(2, 1, 1)} if number == 2 else {}),
        )
    site.process()
    site.deliver()
    assert sorted(Batch.objects.values_list("project", "state")) == sorted((name, "DONE") for name in PROJECTS * 2)
    return {name: _of(site, name, tmp_path) for name in PROJECTS}


def _of(site: Site, name: str, tmp_path: Path) -> Delivered:
    store = site.var / "store" if name == "default" else tmp_path / name / "store"
    archives = sorted(store.rglob("*.tar.gz"))
    files = [one for path in archives for one in _files(path)]
    names = [*(str(path.relative_to(store)) for path in archives), *(member for member, _ in files)]
    warehouse = site.projects.of(name).warehouse
    rows = [row for table in ("dicom", "instance") for row in warehouse.query(f"SELECT * FROM {table}").rows]
    asked = warehouse.query("SELECT sha256 FROM instance UNION ALL SELECT crc32c FROM dicom")
    images = [dcmread(io.BytesIO(content)) for _, content in files]
    return Delivered(names, images, rows, {str(digest) for (digest,) in asked.rows})


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(path.read_bytes()))) as tar:
        yield from ((one.name, (tar.extractfile(one) or io.BytesIO()).read()) for one in tar if one.isfile())


def test_two_projects_have_no_uid_pseudonym_date_or_name_in_common(delivered: dict[str, Delivered]) -> None:
    assert all(len(found.images) == 3 for found in delivered.values())
    for name, other in combinations(PROJECTS, 2):
        one, two = delivered[name], delivered[other]
        ours = {one.images[0].file_meta.ImplementationClassUID, *UID_dictionary}
        assert one.values("UI") & two.values("UI") <= ours, (name, other)
        for keyword in ("PatientID", "AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            assert not {ds[keyword].value for ds in one.images} & {ds[keyword].value for ds in two.images}, keyword
        assert one.values(*DATES) and not one.values(*DATES) & two.values(*DATES), (name, other)


def test_what_two_projects_have_in_common_in_names_and_rows_is_no_patients(delivered: dict[str, Delivered]) -> None:
    """Words of the vocabulary, numbers of series and images: nothing that is long, or random, or of this patient."""
    for name, other in combinations(PROJECTS, 2):
        common = delivered[name].tokens() & delivered[other].tokens()
        assert not [word for word in common if re.fullmatch(r"[a-z2-7]{16}|2\.25\.\d+|\d{8}", word)], (name, other)


def test_hashes_of_files_and_archives_differ_and_those_of_pixels_are_the_link_that_is_left(
    delivered: dict[str, Delivered],
) -> None:
    """docs/projects.md says so; a project that may not be linked by them has to look for no common images."""
    for name, other in combinations(PROJECTS, 2):
        one, two = delivered[name], delivered[other]
        assert one.digests and not one.digests & two.digests
        assert {ds.PixelData for ds in one.images} == {ds.PixelData for ds in two.images}


def test_within_a_project_the_studies_of_the_patient_belong_together(delivered: dict[str, Delivered]) -> None:
    for found in delivered.values():
        assert len({ds.PatientID for ds in found.images}) == 1
        assert len({ds.StudyInstanceUID for ds in found.images}) == 2
