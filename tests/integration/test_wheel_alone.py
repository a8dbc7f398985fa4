"""What `pipx install` of the wheel gives: the commands work without a package that only an extra brings."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.phantoms import accession_number, make_study

BLOCKER = '''
import sys

class Absent:
    """Says of packages that they are not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
'''


def needed(name: str) -> set[str]:
    """A distribution and all that it needs without any extra."""
    found, ahead = set(), [name]
    while ahead:
        name = canonicalize_name(ahead.pop())
        if name in found:
            continue
        found.add(name)
        try:
            wanted = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        ahead += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """The environment of processes in which every other package is absent."""
    present = needed("sendit") | {"pip", "setuptools"}
    homes = packages_distributions()
    absent = {package for package, of in homes.items() if not {canonicalize_name(one) for one in of} & present}
    assert {"numpy", "gunicorn", "httpcore", "psycopg"} <= absent and not {"django", "duckdb", "pyarrow"} & absent
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(f"ABSENT = {sorted(absent)!r}\n{BLOCKER}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SENDIT_", "DJANGO_", "COV"))}
    root = str(Path(__file__).parents[2])
    return kept | {"PYTHONPATH": os.pathsep.join((str(hooks), root)), "SENDIT_QUEUE_SETTLE_SECONDS": "0"}


def test_a_newcomer_comes_from_a_heap_of_files_to_rows(tmp_path: Path, alone: dict[str, str]) -> None:
    work = tmp_path / "empty"
    work.mkdir()
    make_study(tmp_path / "heap", number=1, images=2)

    def sendit(*arguments: str, said: str = "") -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "sendit", *arguments],
            cwd=work, env=alone, input=said, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert ran.returncode == 0, (arguments, ran.stdout, ran.stderr)
        return ran.stdout

    sendit("init", ".")
    assert "1 study folder made, of 2 files." in sendit("sort", str(tmp_path / "heap"), "--into", "data")
    sendit("start_queue", "--number", "all")
    sendit("upload_finished")
    assert "DONE" in sendit("find", "-", said=f"{accession_number(1)}\n")
    assert "CT" in sendit("query", "SELECT Modality, tag_number(header, 'SliceThickness') FROM instance LIMIT 1")
    sendit("explain", "research")
    (image,) = sorted((work / "data").glob("*/*"))[:1]
    assert "It would be delivered." in sendit("preview", "--reveal", str(image))
    sendit("download", "SELECT * FROM instance", "out")
    assert len(list((work / "out").rglob("*.dcm"))) == 2
