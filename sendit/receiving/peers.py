"""The peers file: which application entities may associate with us, and where what they send goes."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sendit.errors import Misconfigured
from sendit.projects.catalogue import stamps
from sendit.projects.composition import Projects
from sendit.projects.project import DEFAULT, Routing
from sendit.projects.site import Site

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

KEYS = frozenset(
    {
        "called",
        "calling",
        "addresses",
        "data_folder",
        "answers_at",
        "retrieve_from",
        "retrieve_by",
        "retrieve_token_file",
        "tls",
        "token_sha256",
    }
)
LONGEST_AE_TITLE = 16
ANY = "*"
"""In the place of an AE title: whatever it is."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an application entity listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, repr=False)
class WebService:
    """The DICOMweb service of a peer: its base URL without a slash at the end, and the file with its bearer token."""

    url: str
    token_file: Path | None = None


class Retrieving(StrEnum):
    """How a DIMSE peer sends the images that are retrieved from it."""

    MOVE = "move"
    """C-MOVE: on an association of its own, to the listener."""
    GET = "get"
    """C-GET: on the association of the request."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An application entity that may send to us.

    Attributes
    ----------
    name : str
        Its name in the file: the operator's word for it, which stands in logs.
    called, calling : str
        The AE title by which it calls us, and its own.
    networks : tuple
        The addresses that it may come from.
    data_folder : Path
        The data folder in which its studies land.
    answers_at : Endpoint or None
        Where it takes the result of a storage commitment on an association of ours.
    retrieve_from : Endpoint, WebService or None
        Where it answers queries and retrievals.
    retrieve_by : Retrieving
        How it sends the images, where it is no web service.
    is_over_tls : bool
        Whether the associations that we open to it are over TLS.
    token_sha256 : str
        The SHA-256 digest of the token by which it may send over HTTP; "" is none.
    """

    name: str
    called: str
    calling: str
    networks: tuple[Network, ...]
    data_folder: Path
    answers_at: Endpoint | None = None
    retrieve_from: Endpoint | WebService | None = None
    retrieve_by: Retrieving = Retrieving.MOVE
    is_over_tls: bool = False
    token_sha256: str = ""

    def may_come_from(self, address: str) -> bool:
        """Return whether the peer may have this address."""
        untrusted = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(untrusted, "ipv4_mapped", None)
        return any((mapped or untrusted) in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Route:
    """Where images go by the AE titles that a project names."""

    routing: Routing
    data_folder: Path


@dataclass(frozen=True, slots=True)
class Peers:
    """All peers, in the order of the file, and where what they send goes by its AE titles."""

    known: tuple[Peer, ...]
    routes: tuple[Route, ...] = ()

    def has_called(self, title: str) -> bool:
        """Return whether any peer may call us by this AE title."""
        return any(peer.called in (title, ANY) for peer in self.known)

    def find(self, called: str, calling: str, address: str) -> Peer | None:
        """Return the first peer with these AE titles that may come from the address, with the data folder in which
        what it sends lands."""
        for peer in self.known:
            if peer.called in (called, ANY) and peer.calling in (calling, ANY) and peer.may_come_from(address):
                return self._routed(peer, called, calling)
        return None

    def _routed(self, peer: Peer, called: str, calling: str) -> Peer:
        fitting = [route for route in self.routes if route.routing.fits(called, calling)]
        if not fitting:
            return peer
        return replace(peer, data_folder=max(fitting, key=lambda route: route.routing.precision).data_folder)

    def named(self, name: str) -> Peer | None:
        """Return the peer of that name, or with that AE title."""
        return next((peer for peer in self.known if name in (peer.name, peer.calling)), None)

    def numbered(self, title: str) -> Peer | None:
        """Return the peer by its place in the file, `#0` the first, as processes of this host name it."""
        number = title.removeprefix("#")
        is_number = title.startswith("#") and number.isdecimal() and int(number) < len(self.known)
        return self.known[int(number)] if is_number else None

    @property
    def data_folders(self) -> tuple[Path, ...]:
        """The data folders in which studies land."""
        of_peers, of_projects = (peer.data_folder for peer in self.known), (route.data_folder for route in self.routes)
        return tuple(dict.fromkeys((*of_peers, *of_projects)))


def load_peers(path: Path, data_base: Path, data_folders: Iterable[Path], usual: Path | None = None) -> Peers:
    """Read the peers file.

    Parameters
    ----------
    path : Path
        The file.
    data_base : Path
        Relative data folders are below it.
    data_folders : iterable of Path
        Those that are watched; a peer's must be one of them. If there is one only, a peer need not name it.
    usual : Path, optional
        Among several, the one of a peer that names none.

    Raises
    ------
    Misconfigured
        `BadPeers`, with the name of the peer and of the key.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise Misconfigured("BadPeers", subject="the file cannot be read") from None
    except ValueError:
        raise Misconfigured("BadPeers", subject="the file is not TOML") from None
    tables = content.get("peers")
    if not isinstance(tables, dict) or set(content) != {"peers"} or not tables:
        raise Misconfigured("BadPeers", subject="tables [peers.NAME] are expected, and nothing else")
    watched = tuple(data_folders)
    usual = watched[0] if len(watched) == 1 else usual
    return Peers(tuple(_peer(name, table, data_base, watched, usual) for name, table in tables.items()))


def _peer(name: str, table: object, data_base: Path, watched: tuple[Path, ...], usual: Path | None) -> Peer:
    if not isinstance(table, dict):
        raise _refusal(name, "a table is expected")
    unknown = sorted(set(table) - KEYS)
    if unknown:
        raise _refusal(name, f"{unknown[0]} is no key")
    answers_at, retrieve_from = _endpoint(name, "answers_at", table), _retrieve_from(name, table)
    if (answers_at or isinstance(retrieve_from, Endpoint)) and ANY in (table.get("called"), table.get("calling")):
        raise _refusal(name, "a peer to which associations are opened needs both AE titles")
    return Peer(
        name=name,
        called=_ae_title(name, "called", table),
        calling=_ae_title(name, "calling", table),
        networks=_networks(name, table.get("addresses")),
        data_folder=_data_folder(name, table.get("data_folder"), data_base, watched, usual),
        answers_at=answers_at,
        retrieve_from=retrieve_from,
        retrieve_by=_retrieve_by(name, table),
        is_over_tls=_flag(name, "tls", table),
        token_sha256=_digest(name, "token_sha256", table),
    )


def _refusal(name: str, why: str) -> Misconfigured:
    return Misconfigured("BadPeers", subject=f"{name}: {why}")


def _ae_title(name: str, key: str, table: Mapping[str, Any]) -> str:
    """Read an AE title (PS3.5, VR AE): at most 16 printable ASCII characters without a backslash."""
    title = table.get(key)
    is_legal = isinstance(title, str) and title.isascii() and title.isprintable() and "\\" not in title
    if not is_legal or not 0 < len(str(title).strip()) <= LONGEST_AE_TITLE:
        raise _refusal(name, f"{key} must be an AE title")
    return str(title).strip()


def _flag(name: str, key: str, table: Mapping[str, Any]) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise _refusal(name, f"{key} must be true or false")
    return value


def _digest(name: str, key: str, table: Mapping[str, Any]) -> str:
    value = table.get(key, "")
    if value and not re.fullmatch(r"[0-9a-f]{64}", str(value)):
        raise _refusal(name, f"{key} must be 64 hexadecimal digits")
    return str(value)


def _networks(name: str, value: object) -> tuple[Network, ...]:
    if not isinstance(value, list) or not value:
        raise _refusal(name, "addresses must be a list of IP addresses or networks")
    try:
        return tuple(ipaddress.ip_network(str(text)) for text in value)
    except ValueError:
        raise _refusal(name, "addresses must be a list of IP addresses or networks") from None


def _data_folder(name: str, value: object, data_base: Path, watched: tuple[Path, ...], usual: Path | None) -> Path:
    if value is None and usual:
        return usual
    if not isinstance(value, str) or not value:
        raise _refusal(name, "data_folder must be a data folder")
    folder = data_base / value
    if folder.resolve() not in {path.resolve() for path in watched}:
        raise _refusal(name, "data_folder is not a data folder of any project, so nobody would take its studies")
    return folder


def _endpoint(name: str, key: str, table: Mapping[str, Any]) -> Endpoint | None:
    value = table.get(key)
    if value is None:
        return None
    host, _, port = str(value).rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise _refusal(name, f"{key} must be host:port")
    return Endpoint(host.strip("[]"), int(port))


def _retrieve_from(name: str, table: Mapping[str, Any]) -> Endpoint | WebService | None:
    """Read `host:port`, or the base URL of a DICOMweb service, with its token file."""
    value, token_file = table.get("retrieve_from"), table.get("retrieve_token_file")
    if not isinstance(value, str) or "://" not in value:
        if token_file is not None:
            raise _refusal(name, "retrieve_token_file belongs to a retrieve_from that is a URL")
        return _endpoint(name, "retrieve_from", table)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise _refusal(name, "retrieve_from must be host:port, or a URL https://HOST/PATH")
    if token_file is None:
        return WebService(value.rstrip("/"))
    if not isinstance(token_file, str) or not Path(token_file).is_absolute():
        raise _refusal(name, "retrieve_token_file must be an absolute path")
    if parts.scheme == "http" and not _is_loopback(parts):
        raise _refusal(name, "a token is sent over https only")
    return WebService(value.rstrip("/"), Path(token_file))


def _is_loopback(url: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(str(url.hostname)).is_loopback
    except ValueError:
        return url.hostname == "localhost"


def _retrieve_by(name: str, table: Mapping[str, Any]) -> Retrieving:
    try:
        return Retrieving(table.get("retrieve_by", Retrieving.MOVE))
    except ValueError:
        raise _refusal(name, "retrieve_by must be move or get") from None


def peers_of(site: Site) -> Peers:
    """Read the peers file that the settings name, and what the projects say of AE titles."""
    projects = Projects(site)
    folders = dict.fromkeys(folder.path for _, folder in projects.data_folders)
    peers = load_peers(peers_file(site), site.data_base, folders, _own_folder(projects))
    named = [projects.of(name).project for name in projects.names]
    routes = [Route(one.routing, one.data_folders[0].path) for one in named if one.routing]
    return replace(peers, routes=tuple(routes))


class RenewedPeers:
    """The peers of a site, read again when the peers file or a project's file has changed."""

    def __init__(self, site: Site) -> None:
        self._site, self._stamps = site, self._stamp(site)
        self.first = peers_of(site)

    def __call__(self) -> Peers | None:
        """Return the peers if they may be others than before. Raises as `peers_of`, once for each change."""
        now = self._stamp(self._site)
        if now == self._stamps:
            return None
        self._stamps = now
        return peers_of(self._site)

    @staticmethod
    def _stamp(site: Site) -> tuple[object, ...]:
        try:
            status = peers_file(site).stat()
        except OSError:
            return (None, stamps(site))
        return (status.st_ino, status.st_mtime_ns, status.st_size, stamps(site))


def peers_file(site: Site) -> Path:
    """Return where the peers file is."""
    return Path(site.listener_peers) if site.listener_peers else site.var / "peers.toml"


def _own_folder(projects: Projects) -> Path | None:
    """The one data folder of the project `default`, where peers that name none send to."""
    folders = projects.default.project.data_folders if DEFAULT in projects.names else ()
    return folders[0].path if len(folders) == 1 else None
