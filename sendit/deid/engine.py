"""File in, de-identified file out: the one function the pipeline calls for each image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sendit.deid.budget import Budget
from sendit.deid.burned_in.measurements import Keeping, words_of
from sendit.deid.burned_in.record import PixelRecord
from sendit.deid.description import Describer
from sendit.deid.identifiers.identifiers import Identifier, extract
from sendit.deid.image import PREAMBLE, DeidentifiedImage, even, file_meta
from sendit.deid.pixels.image_pixel import NUMBER_OF_FRAMES
from sendit.deid.pixels.picture import StudyPictures, dropping
from sendit.deid.pixels.selection import Spare
from sendit.deid.pseudonyms import Pseudonyms
from sendit.deid.recipe.recipe import Recipe, load_recipe, parse_recipe
from sendit.deid.recipe.screen import PixelTask, Screen, Verdict
from sendit.deid.rewriting.actions import FORM, ElementAction, repair
from sendit.deid.rewriting.emptying import Emptier
from sendit.deid.rewriting.geometry import ensure_geometry
from sendit.deid.rewriting.plan import StudyPlan
from sendit.deid.rewriting.rewrite import Rewriter
from sendit.deid.rewriting.shared_runs import each_action
from sendit.deid.rewriting.study import BoundRecipe
from sendit.deid.stream.datasets import read_dataset
from sendit.deid.stream.header import HeaderReader, read_header
from sendit.deid.stream.mending import REPAIRABLE, mended
from sendit.deid.stream.part_ten import PartTen, open_part_ten
from sendit.deid.stream.repairs import Repair
from sendit.deid.stream.sources import HEADER_LIMIT, Bulk, Source
from sendit.deid.stream.tags import PIXEL_DATA_TAGS
from sendit.deid.verify import Verifier
from sendit.errors import DataFault


class Deidentifier:
    """De-identifies the images of one patient-study.

    Parameters
    ----------
    recipe : Recipe
    pseudonyms : Pseudonyms
        The site's keyed pseudonyms.
    variables : mapping of str to object
        What the recipe's `var:` and `func:` name.
    residuals : iterable of Identifier
        What must not remain in any output.
    spoken : mapping of str to object, optional
        The variables among them whose values the operator gave: those are written as they are.
    keeps_measurements : bool, optional
        Whether text in pixels that is a measurement, and no word of the residuals, is left there.
    """

    def __init__(
        self,
        recipe: Recipe,
        pseudonyms: Pseudonyms,
        variables: Mapping[str, Any] | None = None,
        residuals: Iterable[Identifier] = (),
        spoken: Mapping[str, Any] | None = None,
        keeps_measurements: bool = False,
    ) -> None:
        self._recipe, self._pseudonyms, self._variables = recipe, pseudonyms, dict(variables or {})
        self._residuals, self._budget = tuple(residuals), Budget()
        self._plans: dict[frozenset[tuple[str, frozenset[str]]], StudyPlan] = {}
        self._only_plan = None if recipe.uses_values else self._new_plan({})
        self._verifier = Verifier(self._residuals, Emptier(recipe, spoken or {}), self._budget)
        self._pictures = StudyPictures(self._verifier.search)
        self._describer = Describer()
        self._screen: tuple[Screen, HeaderReader] | None = None
        self._looked_at: PixelRecord | None = None
        words = words_of(one.text for one in self._residuals) if keeps_measurements else frozenset()
        self._keeping = Keeping(keeps_measurements, words)

    def deidentify(
        self,
        source: Path | str | bytes | PartTen,
        verdict: Verdict | None = None,
        looked_at: PixelRecord | None = None,
    ) -> DeidentifiedImage:
        """The de-identified, verified image.

        Parameters
        ----------
        source : Path, str, bytes or PartTen
            A file's path, its bytes, or a file that was opened already. A file stays open until the image is written,
            read or closed.
        verdict : Verdict, optional
            What the recipe's filters say of the image, where that is known already. They do not withhold it here; what
            a graylist asks to be done to its pixels is done.
        looked_at : PixelRecord, optional
            What `look` said of it.

        Raises
        ------
        DataFault
            The file is malformed or unsupported, an identifier would remain (ResidualIdentifier), or the work on it
            would come to more than an image may cost (TooLarge).
        Withheld
            A DataFault: of a mosaic, the places of its slices would be lost (GeometryLost); nobody can say that no text
            is left in the pixels (TextInPixels).
        ServiceDown
            DetectorDown: the process that looks for text died.
        Misconfigured
            The recipe asks for what is not there.
        OSError
            The file cannot be read.
        """
        part_ten = source if isinstance(source, PartTen) else open_part_ten(source)
        self._budget.begin()
        self._looked_at = looked_at
        try:
            return self._deidentify(part_ten, verdict)
        except BaseException:
            part_ten.source.close()
            raise

    def look(self, part_ten: PartTen, task: PixelTask) -> PixelRecord | None:
        """Look for text in the pixels of an image; None where there is some, or where it is to be blanked anyway.

        Raises
        ------
        DataFault
            The file is malformed, or nobody can look at its pixels.
        ServiceDown
            DetectorDown: the process that looks for text died.
        """
        from sendit.deid.burned_in.cleaning import look

        self._budget.begin()
        rewriter = Rewriter(part_ten.source, HeaderAtHand(part_ten))
        pieces = rewriter.root(self._plan(part_ten).root_of(part_ten), part_ten.start, part_ten.window)
        return look(pieces, part_ten, task, self._keeping)

    def _deidentify(self, part_ten: PartTen, verdict: Verdict | None) -> DeidentifiedImage:
        """The image; of one that cannot be read as it stands, or does not say which it is, after a repair."""
        readable, repairs = part_ten, tuple[Repair, ...]()
        fault: DataFault | None = None
        try:
            image = self._rewritten(part_ten, (), verdict)
        except DataFault as found:
            if found.code not in REPAIRABLE:
                raise
            fault = found.with_traceback(None)  # its frames hold the header
        if fault is not None:
            repaired = mended(part_ten)
            if repaired is None:
                raise fault
            readable, repairs = repaired
            image = self._rewritten(readable, repairs, verdict)
        if not image.identity.sop_instance_uid:
            uid = readable.meta.get(0x00020003, b"").rstrip(b" \0")
            named = mended(readable, even(uid)) if uid else None
            image = image if named is None else self._rewritten(named[0], (*repairs, *named[1]), verdict)
        return image

    def _rewritten(self, part_ten: PartTen, repairs: Sequence[Repair], verdict: Verdict | None) -> DeidentifiedImage:
        plan = self._plan(part_ten)
        rewriter = Rewriter(part_ten.source, HeaderAtHand(part_ten))
        root = plan.root_of(part_ten)
        pieces = rewriter.root(root, part_ten.start, part_ten.window)
        if plan.study.places_slices:
            ensure_geometry(rewriter.done, part_ten, self._recipe)
        task, record = self._task(part_ten, verdict), self._looked_at
        if record is not None:
            pieces = self._stated(pieces, part_ten, record)
        elif task is not None:
            pieces, part_ten, record = self._with_clean_pixels(pieces, part_ten, task)
        identity = self._verifier.check(pieces, part_ten.encoding, part_ten.source, root.sop_class_uid, rewriter.done)
        if repairs:
            rewriter.done += [repair(one.path, one.tag, one.kind) for one in repairs]
        pieces, dropped = self._pictures.only_picture(
            pieces, identity.image_pixel, identity.bulks, part_ten.source, part_ten.syntax
        )
        if dropped:
            _ensure_frames(dropped, rewriter.done)
            rewriter.done += dropped
        head = PREAMBLE + file_meta(identity.sop_class_uid, identity.sop_instance_uid, part_ten.syntax.uid)
        return DeidentifiedImage(part_ten, head, pieces, self._describer, rewriter.done, identity, record)

    def _task(self, part_ten: PartTen, verdict: Verdict | None) -> PixelTask | None:
        """What the recipe asks to be done to the pixels of an image."""
        if verdict is None:
            if not self._recipe.cleans_pixels:
                return None
            if self._screen is None:
                screen = Screen(self._recipe)
                self._screen = screen, HeaderReader(screen.tags)
            verdict = self._screen[0].verdict(self._screen[1].of(part_ten))
        return verdict.pixels

    def _with_clean_pixels(
        self, pieces: list[bytes | Bulk], part_ten: PartTen, task: PixelTask
    ) -> tuple[list[bytes | Bulk], PartTen, PixelRecord | None]:
        from sendit.deid.burned_in.cleaning import clean  # most workers see no such image

        cleaned = clean(pieces, part_ten, task, self._keeping)
        if cleaned.record is None:
            return pieces, part_ten, None
        return self._stated(cleaned.pieces, part_ten, cleaned.record), cleaned.part_ten, cleaned.record

    def _stated(self, pieces: list[bytes | Bulk], part_ten: PartTen, record: PixelRecord) -> list[bytes | Bulk]:
        from sendit.deid.burned_in.statements import stated

        is_claimed = not self._recipe.exceptions
        return stated(pieces, part_ten.encoding, is_changed=bool(record.masks), is_claimed=is_claimed)

    def _plan(self, part_ten: PartTen) -> StudyPlan:
        """The plan for an image; another one for other terms in the recipe's %values lists."""
        if self._only_plan is not None:
            return self._only_plan
        lists = value_lists(self._recipe, part_ten)
        key = frozenset(lists.items())
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= 16:
                self._plans.clear()
            plan = self._plans[key] = self._new_plan(lists)
        return plan

    def _new_plan(self, lists: Mapping[str, frozenset[str]]) -> StudyPlan:
        recipe, pseudonyms, variables = self._recipe, self._pseudonyms, self._variables
        return StudyPlan(BoundRecipe(recipe, pseudonyms, variables, lists, self._residuals, budget=self._budget))


def _ensure_frames(dropped: Iterable[ElementAction], done: Iterable[ElementAction]) -> None:
    """Refuse pixels beyond the one frame that is written where Number of Frames was text: they may be frames."""
    if any(one is dropping(one.tag, Spare.TAIL) for one in dropped) and any(
        one.tag == NUMBER_OF_FRAMES and one.action == FORM for one in each_action(done)
    ):
        raise DataFault("BadPixelData", tag=NUMBER_OF_FRAMES)


def value_lists(recipe: Recipe, part_ten: PartTen) -> dict[str, frozenset[str]]:
    """The terms of the recipe's %values lists in one image."""
    return recipe.extract_values(HeaderAtHand(part_ten).dataset())


class HeaderAtHand:
    """The image at hand, as a pydicom Dataset when a recipe's function first wants one."""

    __slots__ = ("_dataset", "_part_ten")

    def __init__(self, part_ten: PartTen) -> None:
        self._part_ten = part_ten
        self._dataset: Any = None

    def dataset(self) -> Any:
        """The header as a Dataset; pixel data is left out, and so is bulk data beyond HEADER_LIMIT.

        It is walked before pydicom reads it: pydicom has no bounds of time, memory and depth.
        """
        if self._dataset is None:
            source, encoding = self._part_ten.source, self._part_ten.encoding
            plan = StudyPlan(BoundRecipe(_NO_RULES, Pseudonyms(bytes(16)), {}, checks_values=False)).root(encoding)
            pieces = Rewriter(source, self).root(plan, self._part_ten.start)
            self._dataset = read_dataset(b"".join(_held(piece, source) for piece in pieces), encoding)
        return self._dataset


_NO_RULES = parse_recipe("FORMAT dicom")


def _held(piece: bytes | Bulk, source: Source) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if piece.tag in PIXEL_DATA_TAGS or piece.length > HEADER_LIMIT:
        return b""
    return piece.head + source.read(piece.offset, piece.length)


def deidentify(
    source: Path | str | bytes,
    *,
    recipe: Recipe | str | Path = "research",
    key: bytes,
    variables: Mapping[str, Any] | None = None,
) -> DeidentifiedImage:
    """De-identify one image; for a study's images make one `Deidentifier` and reuse it.

    For a recipe that cleans, what identifies is taken from the image itself: of a study, another image may know more.

    Parameters
    ----------
    source : Path, str or bytes
        A file's path, or its bytes.
    recipe : Recipe, str or Path
        A recipe, a shipped recipe's name or a path.
    key : bytes
        The site's secret, at least 16 bytes; the same key gives the same pseudonyms.
    variables : mapping, optional
        The recipe's variables. The shipped ones ask for entity_id, item_id and jitter, a whole number of days.

    Raises
    ------
    DataFault
        The file is malformed or unsupported, or an identifier would remain (ResidualIdentifier).
    Misconfigured
        There is no such recipe, it cannot be understood, or it asks for a variable that is not given.
    ValueError
        The key is too short.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> from sendit.deid import deidentify
    >>> variables = {"entity_id": "p1", "item_id": "s1", "jitter": 5}
    >>> image = deidentify("in.dcm", key=b"the site's secret key", variables=variables)
    >>> size = image.write("out.dcm")
    """
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    residuals = extract(read_header(source)) if loaded.cleans else ()
    return Deidentifier(loaded, Pseudonyms(key), variables, residuals).deidentify(source)
