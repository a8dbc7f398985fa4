"""`preview`: shown to the terminal that asked, and to nobody else."""

from __future__ import annotations

import os
import pty
import re
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement

from sendit.pipeline.stages.report_page import WORDS
from tests.support.codestreams import dataset, encapsulated, frames_of, segment, with_pixels
from tests.support.phantoms import WORD, bundled, make_study, patient_id
from tests.support.shell import Ran, run
from tests.support.site import Site

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"

GIVEN = ("--var", "entity_id=P", "--var", "item_id=S", "--var", "jitter=1")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (path,) = make_study(tmp_path / "in", number=1, images=1)
    return path


def preview(*arguments: object) -> Ran:
    return run("preview", "--reveal", *map(str, arguments), reveals=True)


def row_of(ran: Ran, tag: str, depth: int = 0) -> list[str]:
    """The cells of an element's row: mark and element, name, before, after, rule."""
    (line,) = [line for line in ran.lines if re.match(rf"^ . {{3}}{'  ' * depth}\({tag}\)", line)]
    return re.split(r" {2,}", line.strip())


def test_what_is_no_terminal_gets_nothing(site: Site, image: Path) -> None:
    ran = run("preview", str(image))
    assert (ran.code, ran.out) == (2, "")
    assert "--reveal" in ran.err


def test_a_terminal_gets_the_table(site: Site, image: Path) -> None:
    """Through a real one: the process that asks has it as its standard output."""
    ours, theirs = pty.openpty()
    process = site.start("preview", str(image), stdout=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert process.wait() == 0
    assert WORD.encode() in shown
    assert b"It would be delivered." in shown


def code_item(meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-A0100", "SRT", meaning
    return item


@pytest.mark.shows_identifiers
def test_eighty_columns_are_enough(site: Site, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sendit.pipeline.management.commands.preview.WIDE", 80)
    ds = dcmread(image)
    ds.AnatomicRegionSequence = [code_item("Brain"), code_item(f"Brain of {patient_id(1)}")]
    ds.save_as(image)
    ran = preview(image, "--changed")
    assert max(map(len, ran.lines)) <= 80
    at = next(number for number, line in enumerate(ran.lines) if line.startswith("~ (0010,0020) PatientID "))
    assert re.search(r" {2}ADD var:entity_id · research:\d+$", ran.lines[at])
    assert re.fullmatch(rf" {{4}}{patient_id(1)} → [a-z2-7]{{16}}", ran.lines[at + 1])
    assert sum(ran.out.count(f"({tag})") for tag in ("0008,0100", "0008,0104")) == 0, "codes are folded"
    (code,) = [line for line in ran.lines if "AnatomicRegionSequence[" in line]
    assert "AnatomicRegionSequence[2]" in code
    assert re.search(r"elements stay unchanged; --all shows them\.$", ran.out, re.MULTILINE)


@pytest.mark.shows_identifiers
def test_every_element_of_both_sides_has_a_row(site: Site, image: Path) -> None:
    ran = preview(image)
    assert ran.code == 0
    tags = {str(elem.tag) for elem in dcmread(image).iterall()}
    shown = set(re.findall(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", ran.out))
    assert {f"({group},{element})" for group, element in shown} >= {tag.upper().replace(", ", ",") for tag in tags}
    assert ("0012", "0062") in shown  # added
    assert ran.lines[-1] == "It would be delivered."


@pytest.mark.shows_identifiers
def test_a_row_says_before_after_and_the_line_of_the_recipe(site: Site, image: Path) -> None:
    ran = preview(image)
    mark, element, name, before, after, rule, *_ = row_of(ran, "0010,0020")
    assert (mark, element, name, before) == ("~", "(0010,0020) LO", "PatientID", patient_id(1))
    assert re.fullmatch(r"[a-z2-7]{16}", after)
    assert re.fullmatch(r"research:\d+", rule)
    assert row_of(ran, "0008,0060")[:4] == ["(0008,0060) CS", "Modality", "CT", "="]


@pytest.mark.shows_identifiers
def test_a_value_that_is_not_what_the_attribute_holds_says_so(site: Site, image: Path) -> None:
    ds = dcmread(image)
    for keyword, vr, value in (("SeriesTime", "TM", "20110617101010"), ("KVP", "DS", "scanned by Roe")):
        ds.add(DataElement(keyword, vr, "1"))
        ds[keyword]._value = value
    ds.PatientSex = "SMITH"
    ds.save_as(image)
    ran = preview(image)
    for tag, after in (("0008,0031", "101010"), ("0018,0060", ""), ("0010,0040", "")):
        (line,) = [line for line in ran.lines if f"({tag})" in line]
        assert "sendit: the value is" in line  # the column's next line has the rest
        assert (" 101010 " in line) == (after != "")


@pytest.mark.shows_identifiers
def test_removed_and_added_elements_are_marked(site: Site, image: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "own.recipe"
    recipe.write_text("FORMAT dicom\n%header\nREMOVE FilterType\nADD PatientState well\nBLANK StudyID\n")
    ran = preview(image, "--recipe", f"research,{recipe}")
    removed = row_of(ran, "0018,1160")
    assert (removed[0], removed[-1]) == ("-", "REMOVE FilterType")
    assert row_of(ran, "0038,0500") == [
        "+",
        "(0038,0500) LO",
        "PatientState",
        "well",
        "own.recipe:4",
        "ADD PatientState well",
    ]
    assert "(blank)" in row_of(ran, "0020,0010")


def test_items_are_indented_under_their_sequence(site: Site) -> None:
    ran = preview(bundled("rtplan.dcm"), *GIVEN)
    sequence = ran.lines.index(next(line for line in ran.lines if "(300A,00B0) SQ" in line))
    assert "item 1" in ran.lines[sequence + 1]
    assert re.match(r"^ .     \([0-9A-F]{4},[0-9A-F]{4}\)", ran.lines[sequence + 2])
    assert row_of(ran, "300A,00B6", depth=1)[1] == "BeamLimitingDeviceSequence"
    assert any(re.match(r"^ .       \(300A,00B8\)", line) for line in ran.lines)


@pytest.mark.shows_identifiers
def test_what_is_in_a_sequence_that_goes_is_shown(site: Site, image: Path) -> None:
    lines = [line for line in preview(image).lines if re.match(r"^ -     \(0010,0021\)", line)]
    assert lines and all(line.rstrip().endswith("goes with its sequence") for line in lines)


@pytest.mark.shows_identifiers
def test_what_would_be_withheld_says_by_which_rule(site: Site, tmp_path: Path) -> None:
    (image,) = make_study(tmp_path / "in", number=1, images=1, BurnedInAnnotation="YES")
    ran = preview(image)
    assert ran.code == 1
    assert "Withheld by the filter rule “burned-in annotation” (graylist)." in ran.lines


@pytest.mark.shows_identifiers
def test_a_dicomdir_is_withheld_as_in_a_batch(site: Site) -> None:
    ran = preview(bundled("DICOMDIR-nooffset"))
    assert ran.code == 1
    assert ran.lines[-1] == "Withheld by the filter rule “sendit: DICOMDIR”."


@pytest.mark.shows_identifiers
def test_what_is_repaired_and_what_is_emptied_is_said(site: Site, image: Path, tmp_path: Path) -> None:
    dataset = dcmread(image)
    dataset.ImageComments, dataset.ReasonForStudy = f"for {WORD}", "knee"
    dataset.save_as(image)
    data = image.read_bytes()
    at = data.index(b"\x32\0\x30\x10")
    image.write_bytes(data[: at + 4] + b"??" + data[at + 6 :])
    recipe = tmp_path / "leaky.recipe"
    recipe.write_text("FORMAT dicom\nINCLUDE research\n%header\nKEEP ImageComments\n")
    ran = preview(image, "--recipe", recipe)
    assert row_of(ran, "0020,4000")[-1] == "sendit: an identifier was found in the value"
    assert ("sendit: " + WORDS["REPAIR_VR"]).startswith(row_of(ran, "0032,1030")[-1])


@pytest.mark.shows_identifiers
def test_pixel_data_that_lost_what_is_no_picture_is_shown_as_changed(site: Site, tmp_path: Path) -> None:
    ds = dataset("JPEG-lossy.dcm")
    ds.PatientID, ds.PatientName, ds.BurnedInAnnotation, ds.Modality = "P1", "Nobody^Else", "NO", "CT"
    # Of a secondary capture, or one of a device with known regions, the pixels would be blanked and encoded again.
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CT_IMAGE
    ds.Manufacturer, ds.ManufacturerModelName = "Maker", "Model"
    (frame,) = frames_of(ds)
    path = tmp_path / "image.dcm"
    path.write_bytes(with_pixels(ds, encapsulated([[frame[:2] + segment(0xFE, b"scanned by night") + frame[2:]]])))
    row = row_of(preview(path), "7FE0,0010")
    assert row[0] == "~"
    assert "comments within" in row[-1], row[-1]


@pytest.mark.shows_identifiers
def test_pixel_data_that_is_only_a_picture_is_shown_as_the_same(site: Site, image: Path) -> None:
    assert row_of(preview(image), "7FE0,0010")[0] != "~"


@pytest.mark.shows_identifiers
def test_what_cannot_be_deidentified_says_why_beside_what_it_is(site: Site, image: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "leaky.recipe"
    recipe.write_text("FORMAT dicom\n%header\nKEEP ALL\n")
    ran = preview(image, "--recipe", recipe)
    assert ran.code == 1
    assert "Not de-identified. ResidualIdentifier" in ran.out
    assert row_of(ran, "0010,0020")[3] == patient_id(1)


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "JPEG2000.dcm", "rtplan.dcm", "nested_priv_SQ.dcm"],
)
def test_any_encoding_can_be_looked_at(site: Site, name: str) -> None:
    ran = preview(bundled(name), *GIVEN)
    assert ran.code in (0, 1)
    assert len(ran.lines) > 15


def test_what_is_not_dicom_is_told_in_a_line(site: Site, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("not DICOM")
    ran = preview(tmp_path / "notes")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("NotDicom")


def test_a_file_that_is_none_is_wrong_use(site: Site, tmp_path: Path) -> None:
    assert preview(tmp_path).code == 2


def test_nothing_of_it_is_kept(site: Site, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    done = site.run("preview", str(bundled("CT_small.dcm")), "--reveal")
    assert done.returncode == 0
    assert list(scratch.iterdir()) == []


def test_what_changes_may_be_shown_alone(site: Site, image: Path) -> None:
    everything, changed = preview("--all", image, *GIVEN), preview("--changed", image, *GIVEN)
    assert preview(image, *GIVEN).out == everything.out
    assert row_of(everything, "0008,0060") and not re.search(r"\(0008,0060\)", changed.out)
    assert row_of(changed, "0010,0010") == row_of(everything, "0010,0010")
    unchanged = re.search(r"^(\d+) elements stay unchanged; --all shows them\.$", changed.out, re.M)
    assert unchanged and int(unchanged[1]) > 10
