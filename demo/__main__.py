"""Runs the whole job on a dozen study folders with the commands that an operator uses."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pydicom
from PIL import Image
from rich.console import Console
from rich.table import Table

from demo import studies
from sendit import keys

ROOT = Path(__file__).parents[1]
VAR = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else ROOT / "var" / "demo"
DATA = VAR / "data"
console = Console(highlight=False)

WHERE_IT_IS = """
    SELECT object_name, member, "offset", length, d.size_bytes AS archive_bytes
    FROM instance JOIN dicom d USING (object_name) WHERE d.Modality = 'CT' ORDER BY member LIMIT 1 OFFSET 2"""
QUESTION = (
    "SELECT Modality, count(*) AS images, count(DISTINCT TransferSyntaxUID) AS syntaxes, sum(size_bytes) AS bytes "
    "FROM instance GROUP BY Modality ORDER BY images DESC"
)

NEXT = """\
data/ the originals, unchanged · store/ archives and reports · warehouse/ rows · secrets/ keys
`make demo-web` shows all of it in a browser.

Next, with images of your own (.venv/bin must be on your PATH):

$ sendit init mine                        # a folder with keys and settings
$ export SENDIT_VAR=$PWD/mine
$ sendit sort /media/cdrom                # any heap of files becomes study folders in mine/data
$ sendit start_queue --number 1           # the first of them
$ sendit upload_finished && sendit status"""


def main() -> None:
    """Run all acts, after removing what an earlier run left."""
    started = time.monotonic()
    shutil.rmtree(VAR, ignore_errors=True)
    keys.make(VAR / "secrets")
    for act in (
        folders, work, deliver, glance, withheld, one_header, recipe, pixels, report, one_image, one_question,
    ):  # fmt: skip
        act()
    _act("That is all", f"{time.monotonic() - started:.0f} seconds. What was made is in {_short(VAR)}/:")
    console.print(NEXT, soft_wrap=True, markup=False)


def folders() -> None:
    """Make the study folders that the imaging team would export."""
    _act("A dozen study folders", "Real images from pydicom's wheel; the patients are invented.")
    table = Table("folder", "patient", "files", "what is in it", box=None, header_style="bold")
    for folder in studies.make(DATA):
        files = len(list((DATA / folder.name).iterdir()))
        table.add_row(folder.name, folder.patient_name.partition("=")[0], str(files), folder.about)
    console.print(table)


def work() -> None:
    """Import, screen, identify and de-identify the folders into archives."""
    _act(
        "De-identify",
        "Each folder is a batch, each batch becomes one archive. No identified byte is copied on the way.",
    )
    sendit("start_queue", "--number", "all")


def deliver() -> None:
    """Store the archives and load their rows."""
    _act("Deliver", "Archives to the object store (here a folder), rows to the warehouse (here Parquet files).")
    sendit("upload_finished")


def glance() -> None:
    """Show that every file has an outcome: delivered, filtered by a rule, or an error with its code."""
    _act("What happened", "Every file is delivered, filtered by a rule, or an error with its code.")
    sendit("status")
    _act("One batch", "The study with the broken image: found = delivered + filtered + errors, and its history.")
    sendit("batch_logs", "ACC1010")


def withheld() -> None:
    """Show an image that was withheld, and by which rule."""
    _act(
        "One image that was withheld",
        "A photograph may show a face, and nothing here can prove that it does not.",
    )
    sendit("batch_logs", "ACC1004")


def one_header() -> None:
    """Show what a privacy officer asks for first."""
    _act(
        "One header, before and after",
        "With the rule that decided. Shown to the terminal that asked, and nowhere else.",
    )
    sendit("preview", "--reveal", _short(DATA / "ACC1008" / "image01.dcm"))


def recipe() -> None:
    """Show the beginning of what the privacy officer reads and signs."""
    _act("The recipe", "What it does to each attribute and why, for the person who approves it.")
    console.print("[bold green]$ sendit explain[/bold green]", soft_wrap=True)
    text = sendit("explain", quiet=True)
    console.print(text.partition("That is how many")[0].rstrip(), soft_wrap=True, markup=False)
    console.print(f"[…] {text.count(chr(10)):,} lines: every attribute, with its reason", markup=False)


def report() -> None:
    """Show where the report of an archive is."""
    _act(
        "The report", "Beside each archive: what was done, by which recipe, and what was withheld. It names no patient."
    )
    archive = next(path for path in sorted((VAR / "store").rglob("*.tar.gz")))
    page = archive.with_name(archive.name.replace(".tar.gz", ".report.html"))
    files = _report(page.with_suffix(".json"))["files"]
    console.print(f"{_short(archive)}\n{_short(page)}", soft_wrap=True, markup=False)
    console.print(
        f"found {files['found']} = delivered {files['delivered']} + filtered {files['filtered']} + in review"
        f" {files['in_review']} + errors {files['errored']}. Open it in a browser, to read or to print:\n"
        f"{page.resolve().as_uri()}",
        soft_wrap=True,
        markup=False,
    )


def pixels() -> None:
    """Show what became of the name that is burned into an ultrasound image."""
    _act(
        "A name in the pixels",
        "Found by a detector, blanked, looked for again; the header says NO, so it was not asked.",
    )
    report = next(r for r in map(_report, (VAR / "store").rglob("*.report.json")) if len(r["pixels"]) == 2)
    looked_at = report["pixels"][1]
    archive = VAR / "store" / report["archive"]["object_name"]
    with tarfile.open(archive) as tar:
        (member,) = (member for member in tar if member.name.endswith(looked_at["image"]))
        held = tar.extractfile(member)
        after = pydicom.dcmread(io.BytesIO(held.read() if held else b""))
    before = pydicom.dcmread(DATA / "ACC1011" / "image02.dcm")
    for name, ds in (("before", before), ("after", after)):
        Image.fromarray(ds.pixel_array).save(VAR / f"burned-in-{name}.png")
    console.print(
        f"Rule: {looked_at['rule']}. Detector: {looked_at['detector']}.\n"
        f"{len(looked_at['blanked'])} rectangles of burned-in text are black now, the last at"
        f" {tuple(looked_at['blanked'][-1]['box'])}; Burned In Annotation {after.BurnedInAnnotation}, Image Type"
        f" {after.ImageType[0]}.\n{_short(VAR)}/burned-in-before.png and burned-in-after.png show both.",
        soft_wrap=True,
    )


def _report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def one_image() -> None:
    """Find one image's place in its archive in the warehouse, and read it."""
    _act("One image out of an archive", "Each image is a gzip member of its own: one ranged read fetches it.")
    (row,) = json.loads(sendit("query", "--format", "json", WHERE_IT_IS, quiet=True))
    member = _ranged_read(VAR / "store" / row["object_name"], row["offset"], row["length"])
    ds = pydicom.dcmread(io.BytesIO(_untar(member)))
    console.print(
        f"{row['member']}: bytes {row['offset']:,} to {row['offset'] + row['length']:,} of an archive of"
        f" {row['archive_bytes']:,} bytes.\nIt opens in pydicom: {ds.Modality}, {ds.Rows}×{ds.Columns},"
        f" {len(ds.PixelData):,} bytes of pixels,"
        f" Patient ID {ds.PatientID!r}, Study Date {ds.StudyDate}.",
        soft_wrap=True,
    )


def one_question() -> None:
    """Query the warehouse in SQL."""
    _act("One question to the warehouse", "")
    sendit("query", QUESTION)


def sendit(*arguments: str, quiet: bool = False) -> str:
    """Run one command as an operator would; an exit code over 1 ("a batch is in ERROR") ends the demo."""
    if not quiet:
        console.print(f"[bold green]$ sendit {shlex.join(arguments)}[/bold green]", soft_wrap=True)
    ran = subprocess.run(
        [sys.executable, "-m", "sendit", *arguments],
        cwd=ROOT,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE if quiet else None,
        check=False,
    )
    if ran.returncode not in (0, 1):
        sys.exit(f"demo: sendit {arguments[0]} ended with exit code {ran.returncode}")
    return ran.stdout or ""


def environment() -> dict[str, str]:
    """Return the settings of the demo, in place of the site's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SENDIT_")}
    return kept | {
        "SENDIT_CONFIG": os.devnull,  # not the operator's own
        "SENDIT_VAR": str(VAR),
        "SENDIT_DATA_BASE": str(DATA),
        "SENDIT_QUEUE_SETTLE_SECONDS": "0",
    }


def _ranged_read(archive: Path, offset: int, length: int) -> bytes:
    with archive.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def _untar(member: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(member), mode="r:gz") as tar:
        entry = tar.next()
        content = tar.extractfile(entry) if entry else None
        return content.read() if content else b""


def _act(title: str, about: str) -> None:
    console.print(f"\n[bold]— {title}[/bold]  {about}\n", soft_wrap=True)


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    main()
