"""The patients who opted out: a file with a Patient ID on each line, read again when it has changed.

Whoever keeps the list writes it elsewhere and renames it: a list that is half written would let patients through.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from sendit.errors import Misconfigured
from sendit.phi import Phi
from sendit.projects.site import Site, variable


def opted_out(site: Site) -> Phi[frozenset[str]]:
    """The ids of the patients who opted out, as they are asked for; none where the site keeps no such list.

    Raises
    ------
    Misconfigured
        `BadSetting`: the list cannot be read.
    """
    if not site.opt_out:
        return Phi(frozenset())
    path = Path(site.opt_out)
    try:
        status = os.stat(path)
        return _read(path, (status.st_ino, status.st_mtime_ns, status.st_size))
    except (OSError, UnicodeDecodeError):
        raise Misconfigured("BadSetting", subject=f"{variable('OPT_OUT')}: a file of text that can be read") from None


@lru_cache(maxsize=2)
def _read(path: Path, stamp: tuple[int, int, int]) -> Phi[frozenset[str]]:
    lines = (line.replace("-", "").strip() for line in path.read_text("utf-8-sig").splitlines())
    return Phi(frozenset(line for line in lines if line and not line.startswith("#")))
