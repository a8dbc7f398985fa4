"""Names of study folders, made of what a peer sent: safe on any file system, and without another meaning."""

from __future__ import annotations

import hashlib
import os
import secrets
import string

LONGEST = 100
"""Bytes of a name; what is added to it must fit into the 255 that file systems allow."""

PLAIN = frozenset((string.ascii_letters + string.digits + "-_.").encode())


def folder_name(untrusted: bytes) -> str:
    """Return the name of a folder for an accession number or a UID as it was sent, or "" if that is blank.

    Bytes other than letters, digits, hyphen, underscore and full stop are written as `%XX`. So is a leading full stop,
    which would hide the folder, and one that would begin an extension `.tmp…` or `.err`. A name that would be too long
    is cut, and ends in a digest of the whole.
    """
    value = untrusted.strip(b" \0")
    if not value:
        return ""
    name = "".join(chr(byte) if byte in PLAIN else f"%{byte:02X}" for byte in value)
    if name[0] == ".":
        name = "%2E" + name[1:]
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 17]}-{hashlib.sha256(value).hexdigest()[:16]}"
    return _without_meaning(name)


def _without_meaning(name: str) -> str:
    """Hide the full stop of an extension by which a folder counts as unfinished or failed."""
    stem, extension = os.path.splitext(name)
    if extension.lower().startswith(".tmp") or extension.lower() == ".err":
        return f"{stem}%2E{extension[1:]}"
    return name


def temporary_name(name: str) -> str:
    """Return a name that no other folder has, and that says that the folder is not finished."""
    return f"{name}.tmp-sendit-{secrets.token_hex(8)}"


def late_name(name: str, number: int) -> str:
    """Return the name of the folder for images that come after the folder `name` was handed over."""
    return f"{name}.late{number}" if number else name
