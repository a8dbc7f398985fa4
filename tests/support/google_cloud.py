"""Google's emulators, each behind a front that can fail: started once for a session, a bucket and a project a test."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sendit.adapters.bigquery.warehouse import BigQueryWarehouse
from sendit.adapters.gcs.settings import GcsBucket
from sendit.adapters.gcs.store import GcsStore
from sendit.adapters.google_cloud import Patience
from tests.support.servers import Server

COLLECTION = "IRB41449"
QUICK = Patience(answer_seconds=20, retry_seconds=10, first_wait_seconds=0.05, job_seconds=20)
ONE_WORKER = pytest.mark.xdist_group("google")
"""Tests that use the emulators run in one process of xdist's, so that there is one set of them."""
FOR_EVER = 1_000_000
_NUMBERS = count(1)


def ask(url: str, content: object = None, method: str = "") -> Any:
    """JSON out, JSON in."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method or None)
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text.startswith((b"{", b"[")) else text


@dataclass
class Emulated:
    """One service: `url` is its front, `direct` the emulator itself."""

    url: str
    direct: str

    def fail(self, match: str, then: str = "answer", times: int = 1, **how: Any) -> None:
        """Tell the front a fault."""
        ask(f"{self.url}/front/faults", [{"match": match, "then": then, "times": times, **how}])

    def demand(self, *tokens: str) -> None:
        """From now on only requests with one of these tokens are passed on."""
        ask(f"{self.url}/front/tokens", list(tokens))

    def requests(self, match: str = "") -> list[dict[str, Any]]:
        """What was asked of the front."""
        return [one for one in ask(f"{self.url}/front/requests") if match in one["way"]]

    def unused_faults(self) -> list[dict[str, Any]]:
        """Faults that were told and never came."""
        return [fault for fault in ask(f"{self.url}/front/faults") if 0 < fault["times"] < FOR_EVER / 2]

    def reset(self) -> None:
        """Forget faults, tokens and requests."""
        ask(f"{self.url}/front/reset", {})


@dataclass
class Services:
    """The two emulators of this session."""

    storage: Emulated
    bigquery: Emulated


@dataclass
class GoogleCloud:
    """A bucket and a project of a test's own."""

    storage: Emulated
    bigquery: Emulated
    bucket: str
    project: str
    collection: str = COLLECTION
    terms: dict[str, Any] = field(default_factory=lambda: {"anonymous": True, "patience": QUICK})

    def store(self, **terms: Any) -> GcsStore:
        """The adapter, through the front."""
        said = {"bucket": self.bucket, "endpoint": self.storage.url} | self.terms | terms
        patience, is_anonymous = said.pop("patience"), said.pop("anonymous")
        return GcsStore(GcsBucket(is_anonymous=is_anonymous, **said), patience)

    def warehouse(self, collection: str = COLLECTION, **terms: Any) -> BigQueryWarehouse:
        """The adapter, through the front."""
        where = {"endpoint": self.bigquery.url}
        return BigQueryWarehouse(self.project, collection, "EU", **(self.terms | where | terms))

    def objects(self) -> dict[str, dict[str, Any]]:
        """What the emulator itself has in the bucket."""
        listed = ask(f"{self.storage.direct}/storage/v1/b/{self.bucket}/o")
        return {item["name"]: item for item in listed.get("items", [])}

    def writes(self) -> dict[str, int]:
        """How often the emulator wrote each object of the bucket."""
        place = f"{self.bucket}/"
        written: dict[str, int] = ask(f"{self.storage.direct}/writes")
        return {name.removeprefix(place): count for name, count in written.items() if name.startswith(place)}

    def make_bucket(self, name: str) -> None:
        """In the emulator."""
        ask(f"{self.storage.direct}/storage/v1/b", {"name": name})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the emulator itself answers."""
        url = f"{self.bigquery.direct}/bigquery/v2/projects/{self.project}/queries"
        answer = ask(url, {"query": sql, "useLegacySql": False})
        assert not answer.get("errors"), answer["errors"]
        return [tuple(cell["v"] for cell in row["f"]) for row in answer.get("rows", [])]

    def count(self, table: str) -> int:
        """How many rows the emulator itself has in a table."""
        [(number,)] = self.rows(f"SELECT count(*) FROM `{self.project}.{self.collection}.{table}`")
        return int(number)

    def tables(self) -> dict[str, dict[str, Any]]:
        """What tables the emulator itself has."""
        url = f"{self.bigquery.direct}/bigquery/v2/projects/{self.project}/datasets/{self.collection}/tables"
        names = [item["tableReference"]["tableId"] for item in ask(url).get("tables", [])]
        return {name: ask(f"{url}/{name}") for name in names}

    def jobs(self) -> list[dict[str, Any]]:
        """Every job of the project that was begun under an id, with when it ran."""
        jobs: list[dict[str, Any]] = ask(f"{self.bigquery.direct}/jobs-run")
        return [job for job in jobs if f"/{self.project}/" in job["job"]]


def sign_in(token_uri: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account, where Application Default Credentials look for it, whose tokens come from there."""
    account = {"type": "service_account", "project_id": "of-the-account", "private_key": private_key()}
    account |= {"client_email": "gateway@example.org", "token_uri": token_uri}
    path = folder / "account.json"
    path.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


@cache
def private_key() -> str:
    """A key pair of this session's, in PEM."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*form).decode()


class Process(Server):
    """A module of Python's that serves HTTP on a port of its own."""

    def __init__(self, module: str, *arguments: str) -> None:
        super().__init__()
        self._module, self._arguments = module, arguments

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", self._module, "127.0.0.1", str(self.port), *self._arguments]

    def answers(self) -> bool:
        try:
            ask(f"{self.url}/")
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


@pytest.fixture(scope="session")
def google_services() -> Iterator[Services]:
    """Both emulators and their fronts, as processes of this session's."""
    with ExitStack() as stack:
        emulated = []
        for module in ("topology.gcs_emulator", "topology.bigquery_emulator"):
            emulator = Process(module)
            front = Process("tests.support.front", str(emulator.port))
            for process in (emulator, front):
                stack.callback(process.remove)
                process.start()
            emulated.append(Emulated(front.url, emulator.url))
        yield Services(*emulated)


@pytest.fixture
def google_cloud(google_services: Services) -> Iterator[GoogleCloud]:
    """A bucket and a project that nobody used before; a fault that never came is a test that cannot fail."""
    number = next(_NUMBERS)
    cloud = GoogleCloud(google_services.storage, google_services.bigquery, f"bucket-{number}", f"project-{number}")
    services = (cloud.storage, cloud.bigquery)
    for service in services:
        service.reset()
    cloud.make_bucket(cloud.bucket)
    yield cloud
    unused = [fault for service in services for fault in service.unused_faults()]
    for service in services:
        service.reset()
    assert unused == []
