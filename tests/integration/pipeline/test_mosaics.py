"""Mosaics on their way: delivered with their geometry, or filtered by sendit's own rule, by every door."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom import dcmread

from sendit.deid.rewriting.geometry import RULE
from tests.support.mosaics import Mosaic
from tests.support.shell import run
from tests.support.site import Site


def folder_of(site: Site, *mosaics: Mosaic) -> Path:
    folder = site.data / "ACC9"
    folder.mkdir(parents=True)
    for number, mosaic in enumerate(mosaics, 1):
        ds = mosaic.dataset()
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.9.{number}"
        ds.SeriesInstanceUID = f"1.2.3.2.{mosaic.slices}"
        ds.save_as(folder / f"{number}.dcm")
    return folder


def test_a_mosaic_that_cannot_be_placed_is_filtered_and_its_series_named(site: Site) -> None:
    folder_of(site, Mosaic(slices=7), Mosaic(slices=5, image_header=b"no header"))
    (batch,) = site.process()
    assert (batch.state, batch.delivered, batch.filtered, batch.errored) == ("DONEPROCESSING", 1, 1, 0)
    assert batch.images.get(outcome="filtered").rule == RULE
    row = json.loads((site.outbox / str(batch.pk) / "dicom.json").read_text())
    removed = json.loads(row["DicomHeader"])["RemovedSeries"]
    assert removed == [site.ports.pseudonyms.uid("1.2.3.2.5")]


def test_a_study_of_mosaics_is_empty_where_the_recipe_removes_private_elements(site: Site) -> None:
    site.set(STUDY_DEID="basic")
    folder_of(site, Mosaic(), Mosaic(volume=2))
    (batch,) = site.process()
    assert (batch.state, batch.filtered, batch.has_error) == ("EMPTY", 2, False)


@pytest.mark.shows_identifiers
def test_deid_and_preview_say_the_rule(site: Site, tmp_path: Path) -> None:
    folder = folder_of(site, Mosaic(slices=7), Mosaic(slices=5, image_header=b"no header"))
    ran = run("deid", str(folder), str(tmp_path / "out"))
    assert ran.out.startswith("2 files: 1 written, 1 filtered, 0 errors")
    (path,) = (tmp_path / "out").rglob("*.dcm")
    assert dcmread(path)[0x00291010].value.startswith(b"SV10")
    seen = run("preview", str(folder / "2.dcm"), "--reveal")
    assert seen.code == 1 and f"Withheld by the filter rule “{RULE}”." in seen.lines


def test_explain_says_it() -> None:
    for recipe in ("basic", "research"):
        told = run("explain", recipe).out
        assert RULE in told
    assert "CSA" in told and "rewritten" in told
