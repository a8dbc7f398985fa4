"""What `sendit check` asks of a folder."""

from __future__ import annotations

import os

from sendit.adapters.folder.settings import StoreFolder
from sendit.errors import Misconfigured


def ensure_installed() -> None:
    """A folder needs nothing."""


def ensure_usable(choice: StoreFolder) -> None:
    """Look whether the folder, or the nearest one above it that is there, can be written to.

    Raises
    ------
    Misconfigured
        `BadSetting`.
    """
    there = next(folder for folder in (choice.path, *choice.path.parents) if folder.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise Misconfigured("BadSetting", subject=f"{choice.named_by}: a folder that can be written to")
