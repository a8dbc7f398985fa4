"""The bill of materials as CycloneDX, made of the lock files and of the table in THIRD-PARTY.md.

https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUNTIME, PRODUCTION, LICENCES = "requirements.lock", "requirements-production.lock", "THIRD-PARTY.md"
VENDORED = Path("sendit") / "web" / "static" / "vendor"
NPM_NAMES = {"htmx": "htmx.org"}


@dataclass(frozen=True)
class Locked:
    """A package of a lock file."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of its files on the registry: which one is installed depends on the machine."""
    wanted_by: tuple[str, ...] = field(default=())

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"


def locked(text: str) -> Iterator[Locked]:
    """Yield the packages of a lock file that uv has written."""
    for part in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M):
        if head := re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", part):
            via = re.search(r"# via(.*)", part, re.S)
            wanted_by = tuple(re.findall(r"[A-Za-z0-9._-]+", re.sub(r"\(.*?\)|#", " ", via[1]))) if via else ()
            yield Locked(head[1], head[2], tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", part)), wanted_by)


def licences(text: str) -> dict[str, str]:
    """Return the licence of each package in THIRD-PARTY.md."""
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|", text, re.M))


def make_bill(root: Path, version: str) -> str:
    """Return the document, the same for the same lock files."""
    always = {one.name for one in locked((root / RUNTIME).read_text())}
    packages = _one_of_each(locked((root / PRODUCTION).read_text()))
    known = licences((root / LICENCES).read_text())
    own = {"type": "application", "bom-ref": f"pkg:pypi/sendit@{version}", "name": "sendit", "version": version}
    own |= {"purl": f"pkg:pypi/sendit@{version}", "licenses": [{"expression": "MIT"}]}
    components = [_component(one, known, is_always=one.name in always) for one in packages]
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own},
        "components": [*components, *_vendored(root, known)],
        "dependencies": list(_dependencies(str(own["bom-ref"]), packages)),
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bill, sort_keys=True))
    return json.dumps(bill | {"serialNumber": f"urn:uuid:{number}"}, indent=1) + "\n"


def _one_of_each(packages: Iterator[Locked]) -> list[Locked]:
    """A lock has a package twice where versions of Python need different ones."""
    return list({one.purl: one for one in packages}.values())


def _component(one: Locked, known: dict[str, str], *, is_always: bool) -> dict[str, Any]:
    files = [{"alg": "SHA-256", "content": content} for content in one.hashes]
    return {
        "type": "library",
        "bom-ref": one.purl,
        "name": one.name,
        "version": one.version,
        "purl": one.purl,
        "scope": "required" if is_always else "optional",
        "licenses": [{"expression": known[one.name]}],
        "externalReferences": [
            {"type": "distribution", "url": f"https://pypi.org/project/{one.name}/{one.version}/", "hashes": files}
        ],
    }


def _vendored(root: Path, known: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield what lies in the wheel itself."""
    for path in sorted((root / VENDORED).glob("*.js")):
        stem, version = re.match(r"([a-z]+)-([\d.]+\d)", path.name).groups()  # type: ignore[union-attr]
        name = NPM_NAMES.get(stem, stem)
        purl = f"pkg:npm/{name}@{version}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
            "scope": "required",
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
            "licenses": [{"expression": known[name]}],
        }


def _dependencies(own: str, packages: list[Locked]) -> Iterator[dict[str, Any]]:
    purls = {one.name: one.purl for one in packages}
    yield {"ref": own, "dependsOn": sorted(one.purl for one in packages if "sendit" in one.wanted_by)}
    for name, purl in purls.items():
        yield {"ref": purl, "dependsOn": sorted(one.purl for one in packages if name in one.wanted_by)}
