"""What `sendit check` says of the recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.site import Site

INCLUDING = "FORMAT dicom\n\nINCLUDE research\n\n%header\n\n"
CHOOSING = "FORMAT dicom\n\nINCLUDE screening\nPROFILE Basic + Retain Device Identity\n"


@pytest.mark.parametrize(
    ("text", "warns"),
    [
        (INCLUDING + "KEEP SeriesDescription\n", True),
        (INCLUDING + "REMOVE DeviceSerialNumber\n", False),
        (INCLUDING + "KEEP StationName\n", False),
        (CHOOSING, False),
    ],
)
def test_a_recipe_that_builds_on_research_is_told_what_changed(
    site: Site, tmp_path: Path, text: str, warns: bool
) -> None:
    file = tmp_path / "our.recipe"
    file.write_text(text)
    site.set(STUDY_DEID=file)
    done = site.run("check")
    assert done.returncode == 0
    assert ("sendit.W004" in done.stderr, "Retain Device Identity" in done.stderr) == (warns, warns)


@pytest.mark.parametrize(("names", "warns"), [("research", False), ("research,descriptions", True), ("basic", False)])
def test_so_is_one_that_stands_behind_it(site: Site, names: str, warns: bool) -> None:
    site.set(STUDY_DEID=names)
    assert ("sendit.W004" in site.run("check").stderr) is warns
