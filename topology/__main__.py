"""`python -m topology up|health|down [FOLDER]`: the whole production topology on loopback; `make up`, `make down`."""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from xmlrpc.client import Fault, ServerProxy

import psycopg
from supervisor.xmlrpc import SupervisorTransport

from topology import plan, servers
from topology.plan import PYTHON, Place, Program, Unwell

ROOT = Path(__file__).parents[1]
START_SECONDS = 120
STOP_SECONDS = 90


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the three actions; exit code 0 says that the topology is up, healthy or down, as asked."""
    parser = argparse.ArgumentParser(prog="python -m topology", description=__doc__)
    parser.add_argument("do", choices=["up", "health", "down"])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "var" / "topology", help="where it lives")
    parser.add_argument("--first-port", type=int, default=plan.FIRST_PORT, help=f"of {len(plan.PORTS)} in a row")
    given = parser.parse_args(arguments)
    place = Place(given.folder.absolute(), given.first_port)
    sys.exit({"up": up, "health": health, "down": down}[given.do](place))


# ------------------------------------------------------------------------------------------ up


def up(place: Place) -> int:
    """Start every program that is not running, and print a line for each when it is healthy."""
    if not _is_up(place):
        _make(place)
        _start_manager(place)
    everything = list(plan.programs(place))
    _start(place, [program for program in everything if program.is_server])
    _furnish(place)
    _start(place, [program for program in everything if not program.is_server])
    print(
        f"\nPut study folders into {place.data}. To see them: . {_environment_file(place)} && .venv/bin/sendit status"
    )
    for one in place.examples():
        print(f"Project {one.name}: studies into {place.data_of(one.name)}, or images to the AE title {one.ae_title}.")
    print(f"Logs: {place.logs}. `make health` prints these lines again, `make down` stops everything.")
    print("The emulators lose their objects and tables when they stop.")
    return 0


def _make(place: Place) -> None:
    for folder in (place.data, place.logs, place.folder / "broker"):
        folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0 and not servers.is_open_to_all(place.folder):
        sys.exit(f"PostgreSQL refuses root and runs as {servers.UNPRIVILEGED}, which may not enter {place.folder}.")
    if taken := [name for name in plan.PORTS if _is_taken(place.port(name))]:
        sys.exit(f"The ports of {', '.join(taken)} are in use: choose others with --first-port.")
    servers.make_postgres(place.folder / "postgres")
    place.make_keys()
    place.make_peers()
    place.make_projects()
    lines = [f"export {name}='{value}'" for name, value in place.environment().items()]
    _environment_file(place).write_text("\n".join(lines) + "\n")
    _configuration(place).write_text("\n".join(_configured(place)) + "\n")


def _environment_file(place: Place) -> Path:
    return place.folder / "environment"


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _furnish(place: Place) -> None:
    """Create the two databases, and the gateway's tokens for the identity service."""
    with psycopg.connect(place.database("postgres"), autocommit=True) as connection:
        have = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in {"sendit", "identity"} - have:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    if not place.client_secrets.exists():
        command = [PYTHON, "-m", "sendit", "identity_client", "add", "gateway", "--url", place.http("identity")]
        environment = {**_environment(place), **place.identity_environment()}
        done = subprocess.run(
            [*command, "--out", str(place.client_secrets)], env=environment, cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"The identity service could not add the client: {done.stderr}")


def _environment(place: Place) -> dict[str, str]:
    """Return this process's environment with the topology's settings in place of any others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SENDIT_")}
    return {**inherited, **place.environment()}


# ------------------------------------------------------------------------------------------ the process manager


def _configuration(place: Place) -> Path:
    return place.folder / "supervisor.conf"


def _socket(place: Place) -> Path:
    return place.folder / "supervisor.sock"


def _configured(place: Place) -> list[str]:
    """Return the configuration of the process manager: it restarts programs that die, and `up` starts them."""
    folder = str(place.folder).replace("%", "%%")
    lines = [
        "[supervisord]",
        f"logfile={folder}/logs/supervisor.log",
        f"pidfile={folder}/supervisor.pid",
        f"childlogdir={folder}/logs",
        *(["user=root"] if os.geteuid() == 0 else []),
        "[unix_http_server]",
        f"file={folder}/supervisor.sock",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "[supervisorctl]",
        f"serverurl=unix://{folder}/supervisor.sock",
    ]
    for program in plan.programs(place):
        lines += _program(place, program)
    return lines


def _program(place: Place, program: Program) -> list[str]:
    words = " ".join(f'"{word}"' for word in program.command).replace("%", "%%")
    environment = ",".join(f'{name}="{value}"' for name, value in program.environment.items()).replace("%", "%%")
    return [
        f"[program:{program.name}]",
        f"command={words}",
        f"directory={ROOT if not program.user else '/'}",
        f"environment={environment}",
        f"stdout_logfile={place.logs / program.name}.log",
        "redirect_stderr=true",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=3",
        "autostart=false",
        "autorestart=true",
        "startsecs=1",
        "startretries=1000000",
        "stopwaitsecs=60",
        f"stopsignal={program.stop_signal}",
        *([f"user={program.user}"] if program.user else []),
    ]


def _start_manager(place: Place) -> None:
    command = [PYTHON, "-m", "supervisor.supervisord", "-c", str(_configuration(place))]
    subprocess.run(command, env=_environment(place), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    ends_at = time.monotonic() + START_SECONDS
    while not _is_up(place):
        if time.monotonic() > ends_at:
            sys.exit(f"supervisor does not start: see {place.logs / 'supervisor.log'}")
        time.sleep(0.1)


def _manager(place: Place) -> ServerProxy:
    transport = SupervisorTransport(None, None, f"unix://{_socket(place)}")
    return ServerProxy("http://127.0.0.1", transport=transport)


def _is_up(place: Place) -> bool:
    try:
        return _manager(place).supervisor.getState()["statename"] == "RUNNING"  # type: ignore[index]
    except (OSError, Fault):
        return False


def _start(place: Place, programs: list[Program]) -> None:
    """Start all programs at once, then wait until each is healthy."""
    for program in programs:
        try:
            _manager(place).supervisor.startProcess(program.name, False)
        except Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise
    ends_at = time.monotonic() + START_SECONDS
    for program in programs:
        while True:
            try:
                print(_line(program, program.health()), flush=True)
                break
            except Unwell as trouble:
                if time.monotonic() > ends_at:
                    sys.exit(_line(program, f"{trouble}: see {place.logs / program.name}.log"))
                time.sleep(0.2)


# ------------------------------------------------------------------------------------------ health, down


def health(place: Place) -> int:
    """Print a line for each program; exit code 1 says that one is not healthy."""
    if not _is_up(place):
        print("The topology is down: `make up`.")
        return 1
    unwell = 0
    for program in plan.programs(place):
        state = _manager(place).supervisor.getProcessInfo(program.name)["statename"]  # type: ignore[index]
        try:
            print(_line(program, program.health() if state == "RUNNING" else f"{state}"))
            unwell += state != "RUNNING"
        except Unwell as trouble:
            print(_line(program, f"{trouble}: see {place.logs / program.name}.log"))
            unwell += 1
    return int(unwell > 0)


def _line(program: Program, words: str) -> str:
    return f"{program.name:<15}{words}"


def down(place: Place) -> int:
    """Ask all programs to stop, and wait until they have."""
    if not _is_up(place):
        print("The topology is down.")
        return 0
    pid = int((place.folder / "supervisor.pid").read_text())
    _manager(place).supervisor.shutdown()
    ends_at = time.monotonic() + STOP_SECONDS
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > ends_at:
            print(f"supervisor (pid {pid}) is still stopping its programs: see {place.logs / 'supervisor.log'}")
            return 1
        time.sleep(0.1)
    print("The topology is down. Its data is in", place.folder)
    return 0


if __name__ == "__main__":
    main()
