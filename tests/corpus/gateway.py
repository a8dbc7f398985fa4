"""Studies through sendit, as `sendit deid` takes them: identifiers collected, identities asked for, images made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sendit.adapters.identity_local import LocalIdentityService
from sendit.deid import Instance, Pseudonyms, Recipe, load_recipe, read_header
from sendit.deid.recipe.recipe import parse_recipe
from sendit.errors import SenditError
from sendit.phi import Phi
from sendit.pipeline.files.deid_files import Deidentification, Group
from sendit.pipeline.stages.identity import request_for
from sendit.ports import IdentityService
from sendit.projects.project import default_project
from sendit.projects.site import Site

KEY = b"the key of the corpus of planted identifiers"
NAMES = default_project(Site()).identity
FILE = Path("/data/a study/image.dcm")


@dataclass(frozen=True)
class Output:
    """What became of one file: its bytes, or the error's code."""

    data: bytes
    described: Instance | None
    refused: str = ""


def without_filters(name: str) -> Recipe:
    """A shipped recipe that withholds nothing, so that every modality can be looked at."""
    return parse_recipe(f"FORMAT dicom\nPROFILE {load_recipe(name).profile}".replace("Basic Profile", "Basic"))


def keyed(key: bytes) -> tuple[Pseudonyms, IdentityService]:
    """What a site with that key has."""
    return Pseudonyms(key), LocalIdentityService(key, 365)


class Gateway:
    """A site with its key and recipe; what it knows is only that, so another one with the same key does the same.

    One that is not `proven` lets outputs pass in which an identifier remains: so that a test can find it.
    """

    def __init__(
        self,
        recipe: Recipe,
        pseudonyms: Pseudonyms | None = None,
        identity_service: IdentityService | None = None,
        *,
        proven: bool = True,
    ) -> None:
        self._proven = proven
        own = keyed(KEY)
        self._identity = identity_service or own[1]
        self._how = Deidentification(recipe, pseudonyms or own[0], self._identity, NAMES, {})

    def study(self, files: Iterable[bytes]) -> Iterator[Output]:
        """One study's outputs, in order."""
        files = list(files)
        group = self._group(files)
        if not self._proven:
            group.identifiers.clear()
        deidentifier = self._how.deidentifier(group)
        for data in files:
            try:
                image = deidentifier.deidentify(data)
                described = image.instance
                yield Output(image.tobytes(), described)
            except SenditError as error:
                yield Output(b"", None, str(error))

    def days_of(self, patient_id: str) -> int:
        """What a patient's dates are shifted by."""
        asked = request_for(NAMES, *map(Phi, (patient_id.replace("-", ""), "any", "", "")))
        return self._identity.identify(asked).entity.jitter

    def _group(self, files: list[bytes]) -> Group:
        headers = [read_header(data) for data in files]
        group = self._how.group_of(headers[0], FILE)
        for header in headers:
            group.learn(header)
        return group
