"""Unit files for systemd: each process of a deployment, as a user of its own that may write to little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sendit.projects.composition import Projects
from sendit.projects.site import Site

USER = "sendit"
ENVIRONMENT = "/etc/sendit/environment"

TEMPLATE = """\
# Written by `sendit init --systemd`.
[Unit]
Description=sendit: {about}
After=network-online.target
Wants=network-online.target

[Service]
{kind}
User={user}
Environment=SENDIT_CONFIG={settings}
EnvironmentFile=-{environment}
ExecStart={command}
Restart=on-failure
RestartSec=10
TimeoutStopSec=90
UMask=0077
LimitCORE=0
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome=read-only
PrivateTmp=true
PrivateDevices=true
NoNewPrivileges=true
CapabilityBoundingSet=
AmbientCapabilities=
ProtectClock=true
ProtectControlGroups=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
RemoveIPC=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
"""

WATCHED = "Type=notify\nTimeoutStartSec=infinity\nWatchdogSec=180"
"""A process that says when it is ready, and every round that it lives."""
PLAIN = "Type=exec"


@dataclass(frozen=True, slots=True)
class Unit:
    """One process of a deployment."""

    name: str
    about: str
    arguments: str
    kind: str = PLAIN


EMBEDDED = (
    Unit(
        "sendit-watcher",
        "the watcher with its workers",
        "start_watcher --foreground",
        WATCHED,
    ),
    Unit("sendit-listener", "receives images from DICOM peers", "start_listener --foreground", WATCHED),
    Unit("sendit-web", "pages, health and metrics", "web"),
)
WITHOUT = "--without-gossip --without-mingle --without-heartbeat"
CELERY = (
    Unit("sendit-worker-process", "workers that process", f"-A sendit worker -Q process -n process@%H {WITHOUT}"),
    Unit("sendit-worker-deliver", "workers that deliver", f"-A sendit worker -Q deliver -c 4 -n deliver@%H {WITHOUT}"),
    Unit("sendit-beat", "wakes the workers", "-A sendit beat"),
)


def unit_files(site: Site, settings: Path, programs: Path) -> Iterator[tuple[str, str]]:
    """The name and the text of each unit file.

    Parameters
    ----------
    programs : Path
        The folder with the programs `sendit` and `celery`.
    """
    writable = {site.var, site.secrets_folder, *(folder.path for _, folder in Projects(site).data_folders)}
    outer = [path for path in sorted(writable) if not any(other in path.parents for other in writable)]
    for unit in (*EMBEDDED, *(CELERY if site.runner == "celery" else ())):
        program = programs / ("celery" if unit in CELERY else "sendit")
        yield (
            f"{unit.name}.service",
            TEMPLATE.format(
                about=unit.about,
                kind=unit.kind,
                user=USER,
                settings=_escaped(settings),
                environment=ENVIRONMENT,
                command=f"{_escaped(program)} {unit.arguments}",
                writable=" ".join(f"-{_escaped(path)}" for path in outer),
            ),
        )


def _escaped(path: Path) -> str:
    """As systemd reads it: % begins a specifier, and a space ends a word."""
    return str(path).replace("\\", "\\\\").replace("%", "%%").replace(" ", "\\x20")
