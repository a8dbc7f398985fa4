"""Writes THIRD-PARTY.md: the licence of each package that a lock file names, as its metadata say. `make licences`."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from bom.bill import LICENCES, PRODUCTION, RUNTIME, licences, locked

ROOT = Path(__file__).parents[1]
SPDX = {
    "Apache Software License": "Apache-2.0", "Apache 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause", "BSD License": "BSD-3-Clause", "3-Clause BSD License": "BSD-3-Clause",
    "New BSD": "BSD-3-Clause",
    "MIT License": "MIT", "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "Zope Public License": "ZPL-2.1",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
}  # fmt: skip
BY_HAND = {
    "async-timeout": "Apache-2.0", "htmx.org": "0BSD", "pyrage": "MIT", "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "python-stdnum": "LGPL-2.1-or-later", "tzdata": "Apache-2.0",
}  # fmt: skip
"""Of packages that are not installed everywhere, or whose metadata do not say it: read in their licence files."""
PLAIN = re.compile(r"[A-Za-z0-9.+-]+( (OR|AND|WITH) [A-Za-z0-9.+-]+)*")


def licence_of(name: str) -> str:
    """Return a package's licence as an SPDX expression. Raises SystemExit where nobody can tell it."""
    if name in BY_HAND:
        return BY_HAND[name]
    try:
        said = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(f"{name} is not installed: run `make setup`") from None
    classifiers = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or [] if line.startswith("Lic")]
    for text in (said["License-Expression"], *classifiers, said["License"]):
        if text and PLAIN.fullmatch(found := SPDX.get(text.strip(), text.strip())):
            return found
    raise SystemExit(f"{name}: the metadata name no licence; read it, and add it to BY_HAND")


def main() -> None:
    """Write the table."""
    always = {one.name for one in locked((ROOT / RUNTIME).read_text())}
    names = sorted({one.name for one in locked((ROOT / PRODUCTION).read_text())})
    rows = [f"| `{name}` | {licence_of(name)} | {'always' if name in always else 'extras'} |" for name in names]
    rows.append(f"| `htmx.org` | {BY_HAND['htmx.org']} | always, in the wheel itself |")
    (ROOT / LICENCES).write_text(HEAD + "\n".join(rows) + "\n")
    print(f"{LICENCES}: {len(licences((ROOT / LICENCES).read_text()))} packages")


HEAD = """# What comes with sendit

The packages of the lock files, under the licences that their metadata name. `make licences` writes this page. Versions
and digests are in the bill of materials (CycloneDX), which is in each wheel and beside it. sendit itself is MIT: see
LICENSE.

| package | licence | comes with |
| --- | --- | --- |
"""

if __name__ == "__main__":
    main()
