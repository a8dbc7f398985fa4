"""`detect text sample`: three images of a series are looked at, and all of them where one of the three has text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sendit.deid.burned_in import detector
from sendit.deid.burned_in.detector import Detector
from sendit.pipeline.stages import reporting
from sendit.pipeline.stages.sampling import sample
from tests.support.burned_in import CR, image
from tests.support.site import Site, delivery_of
from tests.unit.deid.burned_in.test_native_images import gray

ROOT = Path(__file__).parents[3]
RECIPE = "FORMAT dicom\nPROFILE Basic + Clean Pixel Data\n%filter graylist\nLABEL plain\nequals Modality CT\n"


@pytest.fixture(autouse=True)
def finds_white(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    own = Detector("tests.support.detectors:FindsWhite")
    monkeypatch.setattr(detector, "_SHARED", own)
    yield
    own.end()


def study(site: Site, *series: str, line: str = "detect text sample") -> None:
    """A study with these series: for each image a `T` if it has text, else a `.`."""
    recipe = site.var / "sampled.recipe"
    recipe.write_text(f"{RECIPE}{line}\n")
    site.set(STUDY_DEID=str(recipe))
    folder = site.data / "ACC9"
    folder.mkdir(parents=True)
    for number, images in enumerate(series, 1):
        for place, letter in enumerate(images, 1):
            ds = image(gray() if letter == "T" else gray()[:, ::-1] // 2, CR, Modality="CT")
            ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}.{place}"
            ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber = "1.2.3", f"1.2.3.{number}", number
            ds.AccessionNumber, ds.InstanceNumber, ds.StudyDate, ds.PatientBirthDate = "ACC9", place, "20200101", ""
            ds.save_as(folder / f"{number}-{place}.dcm", enforce_file_format=True)


def looked_at(site: Site) -> dict[str, int]:
    """By series and image, how many rectangles were blanked in each image that was looked at."""
    (batch,) = site.process()
    assert (batch.state, batch.errored, batch.filtered) == ("DONEPROCESSING", 0, 0)
    (batch,) = site.deliver()
    report = site.settings.store_folder / delivery_of(batch).object_name.replace(".tar.gz", f".{reporting.JSON}")
    lines = json.loads(report.read_text())["pixels"]
    return {"_".join(line["image"].removesuffix(".dcm").split("_")[1:]): len(line["blanked"]) for line in lines}


@pytest.mark.parametrize(
    ("series", "seen"),
    [
        (".......", {"1_1": 0, "1_4": 0, "1_7": 0}),
        (".T..T..", {"1_1": 0, "1_4": 0, "1_7": 0}),
        ("......T", {f"1_{n}": int(n == 7) for n in range(1, 8)}),
        ("...T...", {f"1_{n}": int(n == 4) for n in range(1, 8)}),
        ("T", {"1_1": 1}),
        ("..", {"1_1": 0, "1_2": 0}),
    ],
)
def test_the_first_the_middle_and_the_last_decide(site: Site, series: str, seen: dict[str, int]) -> None:
    study(site, series)
    assert looked_at(site) == seen


def test_each_series_by_itself(site: Site) -> None:
    study(site, "T...", "....")
    assert looked_at(site) == {"1_1": 1, "1_2": 0, "1_3": 0, "1_4": 0, "2_1": 0, "2_3": 0, "2_4": 0}


def test_without_the_word_every_image_is_looked_at(site: Site) -> None:
    study(site, "......", line="detect text")
    assert len(looked_at(site)) == 6


def test_a_sample_is_the_first_the_middle_and_the_last() -> None:
    assert [sample(range(n)) for n in (1, 2, 3, 200)] == [[0], [0, 1], [0, 1, 2], [0, 100, 199]]
