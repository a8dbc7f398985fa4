"""`make demo`, as a newcomer runs it, says what it promises to show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("demo")  # one run for all of them
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    var = tmp_path_factory.mktemp("demo") / "var"
    ran = subprocess.run([sys.executable, "-m", "demo", str(var)], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_ten_studies_are_delivered_one_is_withheld_and_one_is_an_error(said: str) -> None:
    assert re.search(r"^DONE\s+10$", said, re.M)
    assert re.search(r"^EMPTY\s+1$", said, re.M) and "not an image class that this recipe knows" in said
    assert "MixedPatients" in said


def test_what_is_withheld_is_said_with_its_reason(said: str) -> None:
    assert "Truncated" in said
    assert "NotDicom" in said
    assert "burned-in" in said


def test_the_report_is_where_it_is_said_to_be(said: str) -> None:
    page = Path(re.search(r"^file://(/\S+\.report\.html)$", said, re.M)[1])  # type: ignore[index]
    assert "De-identification report" in page.read_text()
    assert re.search(r"^found \d+ = delivered \d+ \+ filtered 0 \+ in review 0 \+ errors 0\.", said, re.M)


def test_what_comes_next_are_commands_that_are_there(said: str) -> None:
    shown = said.partition("Next, with images of your own")[2]
    names = set(re.findall(r"sendit (\w+)", shown))
    assert {"init", "sort", "start_queue", "upload_finished", "status"} == names
    assert "sendit explain" in said and "is shifted by days" in said


def test_the_unfinished_folder_is_left_alone(said: str) -> None:
    assert "12 new folders" in said


def test_one_image_is_fetched_and_opened(said: str) -> None:
    assert "It opens in pydicom: CT, 128×128, 32,768 bytes of pixels" in said


def test_the_readme_shows_the_demos_own_words(said: str) -> None:
    shown = README.partition("<!-- demo -->")[2].partition("<!-- /demo -->")[0]
    acts = re.findall(r"^ *— (.+?)  ", shown, re.M)
    assert len(acts) >= 6
    assert [act for act in acts if f"— {act}" not in said] == []
