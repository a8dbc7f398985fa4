"""What pages and commands ask of batches comes as records, page by page, and without an identifier."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sendit.pipeline.record.models import Batch, Image, Outcome
from sendit.pipeline.record.states import State
from sendit.pipeline.reports import batches
from sendit.pipeline.reports.batches import BatchFilter, Identified
from tests.support.site import Site


def make(number: int, state: State = State.DONE, codes: tuple[str, ...] = (), rule: str = "", **values: Any) -> int:
    """A batch with these errors, and a file that the rule withholds."""
    errors = [{"code": code, "tag": "", "count": 1, "stage": "import"} for code in codes]
    counts = {"found": bool(rule), "filtered": bool(rule)}
    batch = Batch.objects.create(
        folder_digest=f"f{number}",
        uid_digest="u",
        state=state,
        errors=errors,
        has_error=bool(errors),
        **counts,
        **values,
    )
    if rule:
        Image.objects.create(batch=batch, number=1, outcome=Outcome.FILTERED, rule=rule)
    return batch.pk


def walk(which: BatchFilter, size: int) -> list[list[int]]:
    """The keys of every page."""
    pages, before = [], None
    while True:
        page = batches.page(which, before, size)
        pages.append([summary.batch for summary in page.batches])
        if page.before is None:
            return pages
        assert before is None or page.before < before
        before = page.before


def test_pages_hold_each_batch_once_with_the_newest_first(site: Site) -> None:
    keys = [make(number) for number in range(7)]
    assert walk(BatchFilter(), 3) == [keys[:3:-1], keys[3:0:-1], keys[:1]]
    assert walk(BatchFilter(), 7) == [keys[::-1]]
    assert walk(BatchFilter(state=State.EMPTY), 3) == [[]]


def test_a_batch_that_comes_between_two_pages_repeats_and_hides_nothing(site: Site) -> None:
    keys = [make(number) for number in range(4)]
    first = batches.page(size=2)
    make(9)
    second = batches.page(before=first.before, size=2)
    assert [one.batch for one in (*first.batches, *second.batches)] == keys[::-1]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (BatchFilter(state=State.ERROR), {2, 5}),
        (BatchFilter(has_error=True), {2, 3, 5}),
        (BatchFilter(code="NotDicom"), {3, 5}),
        (BatchFilter(code="NotDicom", state=State.ERROR), {5}),
        (BatchFilter(rule="burned-in"), {1, 4}),
        (BatchFilter(rule="burned-in", state=State.EMPTY), {4}),
        (BatchFilter(rule="burned-in", code="NotDicom"), set()),
        (BatchFilter(code="NoSuchCode"), set()),
    ],
    ids=str,
)
def test_all_of_a_filter_must_hold(
    site: Site, which: BatchFilter, expected: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {
        make(1, rule="burned-in"): 1,
        make(2, State.ERROR, ("MixedPatients",)): 2,
        make(3, codes=("MixedPatients", "NotDicom")): 3,
        make(4, State.EMPTY, rule="burned-in"): 4,
        make(5, State.ERROR, ("NotDicom",)): 5,
        make(6, rule="another"): 6,
    }
    for chunk in (500, 2, 1):
        monkeypatch.setattr(batches, "CHUNK", chunk)
        monkeypatch.setattr(batches, "LOOKED_THROUGH", 2 * chunk)
        for size in (1, 2, 10):
            found = [keys[key] for page in walk(which, size) for key in page]
            assert found == sorted(expected, reverse=True)


def test_a_page_looks_at_so_many_batches_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CHUNK", 2)
    monkeypatch.setattr(batches, "LOOKED_THROUGH", 4)
    keys = [make(number, codes=("NotDicom" if number == 0 else "MixedPatients",)) for number in range(9)]
    page = batches.page(BatchFilter(code="NotDicom"))
    assert (page.batches, page.before) == ((), keys[5])


def test_a_report_accounts_for_every_file_that_was_not_delivered(site: Site) -> None:
    folder = site.study(1, images=3)
    for number in (1, 2):
        (folder / f"notes {number}").write_text("not DICOM")
    (batch,) = site.process()
    report = batches.report(batch.pk)
    assert report
    summary = report.summary
    assert (summary.found, summary.delivered, summary.errored) == (5, 3, 2)
    assert [dataclasses.astuple(error) for error in summary.errors] == [("NotDicom", "", 2, "import")]
    assert [(one.outcome, one.reason, len(one.numbers)) for one in report.withheld] == [("error", "NotDicom", 2)]
    assert [event.name for event in report.events][:2] == ["batch.found", "batch.queued"]
    assert str(folder) not in repr(report) and folder.name not in repr(report)


@pytest.mark.shows_identifiers
def test_what_identifies_is_wrapped_and_gone_after_a_purge(site: Site) -> None:
    folder = site.study(1, images=1)
    (batch,) = site.process()
    identified = batches.identified(batch.pk)
    assert identified.folder and identified.folder.reveal() == str(folder)
    assert len(identified.names.reveal()) == 1
    assert folder.name not in repr(identified)
    batch.identifiers.delete()
    assert repr(batches.identified(batch.pk)) == repr(Identified(None, identified.names))


def test_of_no_batch_there_is_no_report(site: Site) -> None:
    assert batches.report(17) is None
