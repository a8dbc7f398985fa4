"""The canary itself: it finds what it should find, wherever it looks."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.support import phantoms
from tests.support.phantoms import accession_number, leaks_in, make_study, patient_id
from tests.support.site import Site, leaks_under

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    "text",
    [
        "ZQCANARY^Quillon",
        patient_id(3),
        patient_id(3).replace("-", ""),
        accession_number(4),
        "born 19330707.",
        "1933-07-07T00:00:00Z",
        phantoms.uid(1, 2),
    ],
)
@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-16-be"])
def test_a_planted_identifier_is_found_in_any_encoding(text: str, encoding: str) -> None:
    assert leaks_in(b"\0\1" + text.encode(encoding) + b"\0") != []


@pytest.mark.parametrize("text", ["", "2.25.119330707123", "a19330707b", "733700197", "canary"])
def test_other_things_are_not(text: str) -> None:
    assert leaks_in(text) == []


def test_it_looks_into_names_archives_and_tables(tmp_path: Path, site: Site) -> None:
    make_study(tmp_path / "study", images=1)
    (folder := tmp_path / "looked at").mkdir()
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "study", "study")
    (folder / f"{phantoms.WORD}.txt").touch()
    (folder / "log.txt").write_text(f"patient {patient_id(1)}")
    assert set(leaks_under(folder)) == {"a.tar.gz", f"{phantoms.WORD}.txt", "log.txt"}


@pytest.mark.shows_identifiers
def test_it_fails_a_test_that_prints_logs_or_reads_one(pytester: pytest.Pytester) -> None:
    root = Path(__file__).parents[2]
    pytester.makeconftest(f"import sys; sys.path.insert(0, {str(root)!r})\nfrom tests.conftest import *")
    pytester.makepyfile(
        """
        import logging, pytest
        def test_print(): print("Zqcanary")
        def test_log(): logging.getLogger("x").warning("Zqcanary")
        def test_read(capsys):
            print("Zqcanary")
            capsys.readouterr()
        def test_nothing(): print("fine")
        @pytest.mark.shows_identifiers
        def test_shows(): print("Zqcanary")
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:bqemulator").assert_outcomes(passed=5, errors=3)


@pytest.mark.shows_identifiers
def test_it_fails_a_run_that_warns_of_one(pytester: pytest.Pytester) -> None:
    root = Path(__file__).parents[2]
    pytester.makeconftest(f"import sys; sys.path.insert(0, {str(root)!r})\nfrom tests.conftest import *")
    pytester.makepyfile("import warnings\ndef test_warn(): warnings.warn('Zqcanary')")
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:bqemulator")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["CANARY: a warning quotes a planted identifier: *test_warn*"])


def test_the_phantoms_hold_a_planted_identifier_in_every_text_vr(tmp_path: Path) -> None:
    from pydicom import dcmread

    (path,) = make_study(tmp_path / "study", images=1)
    planted = {elem.VR for elem in dcmread(path).iterall() if elem.VR != "SQ" and leaks_in(str(elem.value))}
    texts = {"AE", "CS", "DA", "DS", "DT", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT"}
    assert texts <= planted
