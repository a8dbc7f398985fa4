"""Files de-identified without a batch, with the pseudonyms that a batch would get. Knows no database."""

from __future__ import annotations

import errno
import filecmp
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sendit.deid.description import Instance
from sendit.deid.engine import Deidentifier
from sendit.deid.identifiers.identifiers import Identifier, extract
from sendit.deid.image import DeidentifiedImage
from sendit.deid.pseudonyms import Pseudonyms
from sendit.deid.recipe.recipe import Recipe
from sendit.deid.recipe.screen import Verdict, screen
from sendit.deid.rewriting.withheld import Withheld
from sendit.deid.stream.header import Header, read_header
from sendit.durable import draft_of, forget_time
from sendit.errors import BrokenPromise, DataFault, SenditError, ServiceDown
from sendit.phi import Phi
from sendit.pipeline.intake.folders import (
    REFUSED,
    WITHHELD_COPY,
    WITHHELD_DICOMDIR,
    WITHHELD_LINK,
    Entry,
    EntryKind,
    list_folder,
)
from sendit.pipeline.stages.identity import (
    DATE_KEYWORDS,
    MEDIA_STORAGE_DIRECTORY,
    entity_id_of,
    item_id_of,
    item_of,
    request_for,
    variables,
)
from sendit.pipeline.stages.nameless import stand_in_for
from sendit.ports import IdentityService
from sendit.projects.project import IdentityNames

ENOUGH = frozenset({"entity_id", "item_id", "jitter"})
"""Who gives all of these variables needs no identity service."""

_NO_LINK = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_UID = re.compile(r"[0-9.]*[0-9]")


class FileResult(StrEnum):
    """What becomes of a file."""

    WRITTEN = "written"
    THERE = "already there"
    FILTERED = "filtered"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """Of the numbered file; `reason` is the filter rule's name or the error's sentence."""

    number: int
    fate: FileResult
    reason: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Input:
    """A numbered file and where it is."""

    number: int
    path: Path
    kind: EntryKind = EntryKind.FILE


Screened = tuple[Input, Verdict, str]
"""A file that may go on, its verdict, and its SOP Instance UID."""


@dataclass(slots=True, repr=False)
class Group:
    """The images of one patient-study: what the identity service is asked, and what may remain in none of them."""

    entity_id: str
    item_id: str
    item_source: str
    birth_date: str = ""
    study_date: str = ""
    identifiers: dict[Identifier, None] = field(default_factory=dict)
    inputs: list[Screened] = field(default_factory=list)

    def learn(self, header: Header) -> None:
        """What one of its images says."""
        self.identifiers.update(dict.fromkeys(extract(header)))
        self.birth_date = self.birth_date or header.text("PatientBirthDate")
        self.study_date = self.study_date or next(filter(None, map(header.text, DATE_KEYWORDS)), "")


class Deidentification:
    """How files are de-identified.

    Parameters
    ----------
    recipe : Recipe
    pseudonyms : Pseudonyms
    identity_service : IdentityService
        Asked for what `given` does not say.
    names : IdentityNames
    given : mapping of str to str
        Variables of the recipe by name.
    """

    def __init__(
        self,
        recipe: Recipe,
        pseudonyms: Pseudonyms,
        identity_service: IdentityService,
        names: IdentityNames,
        given: Mapping[str, str],
    ) -> None:
        self.recipe, self._pseudonyms = recipe, pseudonyms
        self._identity_service, self._names, self._given = identity_service, names, dict(given)

    def group_of(self, header: Header, path: Path) -> Group:
        """The patient-study of an image; for a blank study id stands what stands for it in a batch."""
        folder_name, item_id = path.absolute().parent.name, item_id_of(header, self._names)
        entity_id = entity_id_of(header, self._names) or stand_in_for(self._names, item_id, folder_name)
        if not entity_id and not self._given.keys() >= ENOUGH:
            raise DataFault("MissingPatientID")
        study_uid = header.text("StudyInstanceUID").strip()
        return Group(entity_id, *item_of(self._names, item_id, study_uid, folder_name))

    def deidentifier(self, group: Group) -> Deidentifier:
        """For the images of one patient-study. Raises what the identity service raises."""
        return Deidentifier(self.recipe, self._pseudonyms, self._variables(group), group.identifiers, self._given)

    def _variables(self, group: Group) -> dict[str, Any]:
        if self._given.keys() >= ENOUGH:
            return dict(self._given)
        known = map(Phi, (group.entity_id, group.item_id, group.birth_date, group.study_date))
        names = replace(self._names, item_source=group.item_source)
        response = self._identity_service.identify(request_for(names, *known))
        return variables(response, self._names) | self._given


def inputs_of(source: Path) -> list[Input]:
    """The files: one, or everything in a folder and its sub-folders, numbered in order of the names' bytes."""
    if not source.is_dir():
        return [Input(1, source)]
    entries: list[Entry] = list_folder(os.path.realpath(source))  # a link that is named is meant
    return [Input(number, source / entry.name, entry.kind) for number, entry in enumerate(entries, 1)]


def deidentify_files(inputs: Iterable[Input], how: Deidentification, target: Target) -> Iterator[FileOutcome]:
    """De-identify each file and write it; yields what became of each, in no order.

    Every header is read before the first file is written: an identifier that one image of a study knows is looked for
    in all of them.

    Raises
    ------
    ServiceDown
        `NoSpace`.
    Misconfigured
        The recipe asks for what is not there.
    """
    groups: dict[tuple[str, str], Group] = {}
    for one in inputs:
        outcome = _sort(one, how, groups)
        if outcome:
            yield outcome
    for group in groups.values():
        yield from _withhold_doubles(group)
        deidentifier = how.deidentifier(group)
        for one, verdict, _ in group.inputs:
            yield _deidentify(one, verdict, deidentifier, target)


def _withhold_doubles(group: Group) -> Iterator[FileOutcome]:
    """As in a batch: of files that are one instance, one is left if they are alike, and none if they differ."""
    alike: dict[str, list[Screened]] = defaultdict(list)
    for screened in group.inputs:
        alike[screened[2] or f"#{screened[0].number}"].append(screened)
    group.inputs = []
    for first, *others in alike.values():
        if all(_are_same(first[0].path, other[0].path) for other in others):
            group.inputs.append(first)
            yield from (FileOutcome(other[0].number, FileResult.FILTERED, WITHHELD_COPY) for other in others)
        else:
            fault = DataFault("ConflictingInstance", tag=0x00080018)
            yield from (_failed(one, fault) for one, _, _ in (first, *others))


def _are_same(one: Path, other: Path) -> bool:
    """A file that cannot be read any more is like no other."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _sort(one: Input, how: Deidentification, groups: dict[tuple[str, str], Group]) -> FileOutcome | None:
    """Into its group; or what became of it, if nothing is to be de-identified."""
    if one.kind is EntryKind.LINK_INSIDE:
        return FileOutcome(one.number, FileResult.FILTERED, WITHHELD_LINK)
    try:
        if one.kind in REFUSED:
            raise DataFault(REFUSED[one.kind])
        header = read_header(one.path)
        if header.sop_class_uid == MEDIA_STORAGE_DIRECTORY:
            return FileOutcome(one.number, FileResult.FILTERED, WITHHELD_DICOMDIR)
        group = how.group_of(header, one.path)
        group = groups.setdefault((group.entity_id, group.item_id), group)
        group.learn(header)
        verdict = screen(header, how.recipe)
        if not verdict.passed:
            return FileOutcome(one.number, FileResult.FILTERED, verdict.rule)
        group.inputs.append((one, verdict, header.text("SOPInstanceUID")))
    except (DataFault, OSError) as error:
        return _failed(one, error)
    return None


def _deidentify(one: Input, verdict: Verdict, deidentifier: Deidentifier, target: Target) -> FileOutcome:
    try:
        image = deidentifier.deidentify(one.path, verdict)
        image.ensure_identified()
        return target.write(image, one.number)
    except Withheld as withheld:
        return FileOutcome(one.number, FileResult.FILTERED, withheld.rule)
    except (DataFault, BrokenPromise, OSError) as error:
        return _failed(one, error)


def _failed(one: Input, error: Exception) -> FileOutcome:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise ServiceDown("NoSpace", subject="OUT") from None
    return FileOutcome(
        one.number, FileResult.ERROR, str(error if isinstance(error, SenditError) else _refused(one, error))
    )


def _refused(one: Input, error: Exception) -> SenditError:
    """The operating system's no: to reading the input, or to writing the output."""
    if getattr(error, "filename", None) in (None, str(one.path)):
        return DataFault("Unreadable")
    return ServiceDown("DiskRefused", subject="OUT")


class Target:
    """Where de-identified files go: under names made of their new UIDs, for the old names may identify.

    Parameters
    ----------
    out : Path
        The file, or the folder in which they are `{Study Instance UID}/{SOP Instance UID}.dcm`.
    is_folder : bool
    replace : bool
        Whether other bytes that stand there already are replaced.
    """

    def __init__(self, out: Path, is_folder: bool, replace: bool) -> None:
        self._out, self._is_folder, self._replace = out, is_folder, replace

    def write(self, image: DeidentifiedImage, number: int) -> FileOutcome:
        """Write the image; it is there as a whole or not at all."""
        try:
            path = self._out / _name(image.instance, number) if self._is_folder else self._out
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            draft = draft_of(path)
            try:
                size_bytes = image.write(draft)
                forget_time(draft)
                return FileOutcome(number, self._put(draft, path), size_bytes=size_bytes)
            finally:
                draft.unlink(missing_ok=True)
        finally:
            image.close()

    def _put(self, draft: Path, path: Path) -> FileResult:
        """Give the draft its name; by a link where the file system has them, for that replaces nothing."""
        if self._replace:
            os.replace(draft, path)
            return FileResult.WRITTEN
        try:
            os.link(draft, path)
            return FileResult.WRITTEN
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            if not path.exists():
                os.rename(draft, path)
                return FileResult.WRITTEN
        if filecmp.cmp(draft, path, shallow=False):
            return FileResult.THERE
        raise DataFault("OutputExists")


def _name(instance: Instance, number: int) -> str:
    """A recipe of one's own may leave no UID, or none that is safe as a name."""
    study, image = instance.study_instance_uid, instance.sop_instance_uid
    folder = study if _UID.fullmatch(study) else "unknown"
    return f"{folder}/{image if _UID.fullmatch(image) else f'{number:06}'}.dcm"
