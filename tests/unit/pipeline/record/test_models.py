"""What the tables keep, and what they keep to themselves."""

from __future__ import annotations

import json

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.db import IntegrityError, connection, transaction

from sendit.errors import BrokenPromise, Misconfigured
from sendit.ground import phi_field
from sendit.phi import Phi
from sendit.pipeline.record.models import Batch, BatchIdentifiers, Event, Image
from tests.support.site import Site


def a_batch(number: int = 1, **terms: object) -> Batch:
    return Batch.objects.create(folder_digest=str(number), uid_digest="u", **terms)


def identifiers(value: object) -> BatchIdentifiers:
    return BatchIdentifiers.objects.create(batch=a_batch(), folder=Phi(value))


def tokens() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT folder FROM pipeline_batchidentifiers")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize("value", [{"uid": "Zqcanary", "path": "/a/\udcff"}, [], None, "ß\n", 5], ids=str)
def test_what_identifies_is_encrypted_and_comes_back(site: Site, value: object) -> None:
    identifiers(value)
    assert BatchIdentifiers.objects.get().folder == Phi(value)
    assert "canary" not in tokens()[0]


def test_it_has_no_voice(site: Site) -> None:
    kept = identifiers({"uid": "Zqcanary"})
    said = f"{kept!r} {kept} {kept.folder!r} {kept.folder} {kept.__dict__} {serializers.serialize('json', [kept])}"
    assert "Zqcanary" not in said


def test_a_bare_value_does_not_get_in(site: Site) -> None:
    with pytest.raises(BrokenPromise, match="BarePhi"):
        BatchIdentifiers.objects.create(batch=a_batch(), folder={"uid": "Zqcanary"})


def test_a_key_can_be_rotated(site: Site) -> None:
    identifiers("before")
    path = site.settings.secrets_folder / "identifiers.key"
    old = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(Fernet.generate_key() + b"\n" + old)
    phi_field._cipher.cache_clear()
    kept = BatchIdentifiers.objects.get()
    assert kept.folder == Phi("before")
    kept.save()
    path.write_bytes(path.read_bytes().split()[0])
    phi_field._cipher.cache_clear()
    assert BatchIdentifiers.objects.get().folder == Phi("before")


@pytest.mark.parametrize("key", [Fernet.generate_key(), b"", b"no key"], ids=["another", "empty", "nonsense"])
def test_without_the_right_key_there_is_nothing_to_read(site: Site, key: bytes) -> None:
    identifiers("secret")
    (site.settings.secrets_folder / "identifiers.key").write_bytes(key)
    phi_field._cipher.cache_clear()
    with pytest.raises(Misconfigured, match="BadKey"):
        BatchIdentifiers.objects.get()


def test_keys_are_for_their_owner_only(site: Site) -> None:
    identifiers("secret")
    phi_field.digest(b"x")
    keys = list(site.settings.secrets_folder.glob("*.key"))
    assert {path.name for path in keys} >= {"identifiers.key", "digest.key"}
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}


def test_a_digest_says_nothing_without_its_key(site: Site) -> None:
    before = phi_field.digest(b"1234567")
    (site.settings.secrets_folder / "digest.key").write_bytes(Fernet.generate_key())
    phi_field._digest_key.cache_clear()
    assert phi_field.digest(b"1234567") != before


def test_a_folder_is_one_batch(site: Site) -> None:
    a_batch()
    with pytest.raises(IntegrityError), transaction.atomic():
        a_batch()


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": "lost"},
        {"outcome": "filtered"},
        {"outcome": "error"},
        {"outcome": "delivered"},
        {"outcome": "delivered", "member": "a", "offset": 1, "code": "NotDicom"},
        {"outcome": "filtered", "rule": "r", "member": "a"},
    ],
    ids=str,
)
def test_an_image_has_one_outcome_with_its_reason(site: Site, wrong: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Image.objects.create(batch=a_batch(), number=1, **wrong)


def test_history_is_only_added_to(site: Site) -> None:
    event = Event.objects.create(batch=a_batch(), name="batch.queued")
    for change in (
        event.save,
        event.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(name="other"),
    ):
        with pytest.raises(BrokenPromise, match="HistoryIsAppendOnly"):
            change()
    assert json.loads(serializers.serialize("json", Event.objects.all()))[0]["fields"]["name"] == "batch.queued"


def test_a_claim_a_page_and_the_counts_read_indexes_only(site: Site) -> None:
    from django.utils import timezone

    from sendit.pipeline.record.states import State

    now = timezone.now()
    waiting = Batch.objects.filter(state=State.QUEUE, not_before__lte=now).order_by("not_before", "pk")
    for query, index in (
        (waiting.values_list("pk")[:2], "batch_waiting"),
        (Batch.objects.filter(state=State.ERROR).order_by("-pk")[:50], "batch_by_state"),
        (Batch.objects.order_by().values_list("state").annotate(_count()), "COVERING INDEX"),
        (Batch.objects.filter(state=State.PROCESSING).order_by("lease_expires_at"), "batch_leased"),
    ):
        plan = query.explain()
        assert index in plan and "TEMP B-TREE" not in plan, plan


def _count() -> object:
    from django.db.models import Count

    return Count("id")
