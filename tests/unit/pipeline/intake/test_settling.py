"""When a folder is finished, without a clock and without a folder."""

from __future__ import annotations

from functools import partial

import pytest

from sendit.pipeline.intake.settling import SURE_SECONDS, Content, FolderTracker, Sighting

SETTLE_SECONDS = 5.0


def finished(inode: int) -> Sighting:
    return Sighting(inode, is_finished=True)


def being_written(inode: int) -> Sighting:
    return Sighting(inode, is_finished=False)


def never_looked_at() -> Content:
    raise AssertionError("its content was looked at")


def fresh(fingerprint: str = "a") -> Content:
    return Content(fingerprint, age_seconds=0.0)


@pytest.fixture
def tracker() -> FolderTracker:
    return FolderTracker(SETTLE_SECONDS)


def test_only_folders_with_a_finished_name_are_asked_about(tracker: FolderTracker) -> None:
    assert tracker.observe({"/d/a": finished(1), "/d/b.tmp7": being_written(2)}) == ["/d/a"]


def test_a_taken_folder_is_not_asked_about_again(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a": finished(1)})
    tracker.take("/d/a")
    assert tracker.observe({"/d/a": finished(1)}) == []


def test_a_folder_that_came_back_is_asked_about_again(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a": finished(1)})
    tracker.take("/d/a")
    assert tracker.observe({}) == []
    assert tracker.observe({"/d/a": finished(9)}) == ["/d/a"]


def test_a_rename_says_that_the_folder_is_finished(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a.tmp7": being_written(1)})
    assert tracker.observe({"/d/a": finished(1)}) == ["/d/a"]
    assert tracker.is_settled("/d/a", never_looked_at, now=0.0)


def test_a_rename_that_was_not_taken_at_once_still_counts(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a.tmp7": being_written(1)})
    tracker.observe({"/d/a": finished(1)})
    tracker.observe({"/d/a": finished(1)})
    assert tracker.is_settled("/d/a", never_looked_at, now=0.0)


def test_another_folder_of_that_name_was_not_renamed(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a.tmp7": being_written(1)})
    tracker.observe({"/d/a": finished(2), "/d/a.tmp7": being_written(1)})
    assert not tracker.is_settled("/d/a", fresh, now=0.0)


def test_a_folder_settles_when_its_content_has_stayed_the_same(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a": finished(1)})
    answers = [tracker.is_settled("/d/a", fresh, now) for now in (100.0, 102.0, 104.9, 105.0)]
    assert answers == [False, False, False, True]


def test_a_change_begins_the_wait_anew(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a": finished(1)})
    looks = [(100.0, "a"), (104.0, "b"), (108.0, "b"), (109.0, "b")]
    answers = [tracker.is_settled("/d/a", partial(fresh, fingerprint), now) for now, fingerprint in looks]
    assert answers == [False, False, False, True]


def test_a_folder_that_rests_for_long_is_taken_at_first_sight(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a": finished(1)})
    assert tracker.is_settled("/d/a", lambda: Content("a", SURE_SECONDS), now=0.0)


def test_another_machines_clock_that_is_a_little_off_does_not_settle_a_folder(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a": finished(1)})
    assert not tracker.is_settled("/d/a", lambda: Content("a", SETTLE_SECONDS + 10), now=0.0)


def test_what_is_open_for_writing_is_not_finished_however_old_it_is(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a": finished(1)})
    answers = [
        tracker.is_settled("/d/a", lambda opened=opened: Content("a", 1000.0, opened), now)
        for now, opened in ((0.0, True), (50.0, True), (51.0, False))
    ]
    assert answers == [False, False, True]


def test_what_was_open_for_writing_rests_as_any_other(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a": finished(1)})
    answers = [
        tracker.is_settled("/d/a", lambda opened=opened: Content("a", 1.0, opened), now)
        for now, opened in ((0.0, False), (4.0, True), (6.0, False), (10.0, False), (11.0, False))
    ]
    assert answers == [False, False, False, False, True]


@pytest.mark.parametrize("age_seconds", [-3600.0, 0.0])
def test_a_clock_that_is_ahead_holds_nothing_up(tracker: FolderTracker, age_seconds: float) -> None:
    tracker.observe({"/d/a": finished(1)})
    tracker.is_settled("/d/a", lambda: Content("a", age_seconds), now=0.0)
    assert tracker.is_settled("/d/a", lambda: Content("a", age_seconds), now=SETTLE_SECONDS)


def test_what_went_away_while_it_settled_begins_anew(tracker: FolderTracker) -> None:
    tracker.observe({"/d/a": finished(1)})
    tracker.is_settled("/d/a", fresh, now=0.0)
    assert tracker.is_waiting
    tracker.observe({})
    assert not tracker.is_waiting
    tracker.observe({"/d/a": finished(1)})
    assert not tracker.is_settled("/d/a", fresh, now=SETTLE_SECONDS)


def test_nothing_waits_where_nothing_is_to_settle() -> None:
    tracker = FolderTracker(settle_seconds=0)
    tracker.observe({"/d/a": finished(1)})
    assert tracker.is_settled("/d/a", never_looked_at, now=0.0)
