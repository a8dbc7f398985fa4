"""Real PACS for tests: Orthanc, and dcmtk's dcmqrscp, on loopback, that can be killed and started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.support.dicom_network import dcmtk, dcmtk_options
from tests.support.servers import Server
from topology.servers import free_ports


class Orthanc(Server):
    """Debian's Orthanc; its AE title is ORTHANC, and it may send to SENDIT."""

    def __init__(self, destination: int) -> None:
        super().__init__()
        (self.http,) = free_ports(1)
        configuration = {
            "DicomAet": "ORTHANC",
            "DicomPort": self.port,
            "HttpPort": self.http,
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "DicomModalities": {"sendit": ["SENDIT", "127.0.0.1", destination]},
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowMove": True,
            "DicomThreadsCount": 4,
            "RemoteAccessAllowed": False,
            "Plugins": ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "AuthenticationEnabled": False,
        }
        (self.folder / "orthanc.json").write_text(json.dumps(configuration))

    def command(self) -> list[str]:
        path = shutil.which("Orthanc")
        assert path, "Orthanc is missing: apt-get install orthanc orthanc-dicomweb"
        return [path, str(self.folder / "orthanc.json")]

    def options(self) -> Mapping[str, Any]:
        return {"env": {**os.environ, "TCP_NODELAY": "1"}}

    def answers(self) -> bool:
        return dcmtk("echoscu", "-to", "1", "-aec", "ORTHANC", "127.0.0.1", self.port).returncode == 0

    @property
    def web_service(self) -> str:
        """The base URL of its DICOMweb service."""
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def hold(self, *paths: Path) -> None:
        """Store images in it."""
        done = dcmtk("storescu", "-aec", "ORTHANC", "127.0.0.1", self.port, "+sd", "+r", *paths)
        assert done.returncode == 0, done.stdout


class Dcmqrscp(Server):
    """dcmtk's query and retrieve SCP; its AE title is DCMQRSCP."""

    STOP = signal.SIGTERM

    def __init__(self, destination: int) -> None:
        super().__init__()
        (self.folder / "db").mkdir()
        (self.folder / "dcmqrscp.cfg").write_text(
            f"NetworkTCPPort = {self.port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
            f"HostTable BEGIN\nsendit = (SENDIT, 127.0.0.1, {destination})\nHostTable END\n"
            "VendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\nDCMQRSCP {self.folder / 'db'} RW (500, 1024mb) ANY\nAETable END\n"
        )

    def command(self) -> list[str]:
        path = shutil.which("dcmqrscp")
        assert path, "dcmqrscp is missing: apt-get install dcmtk"
        return [path, "-c", str(self.folder / "dcmqrscp.cfg")]

    def options(self) -> Mapping[str, Any]:
        return {"env": dcmtk_options()["env"]}

    def answers(self) -> bool:
        return dcmtk("echoscu", "-to", "1", "-aec", "DCMQRSCP", "127.0.0.1", self.port).returncode == 0

    def hold(self, *paths: Path) -> None:
        """Store images in it."""
        done = dcmtk("storescu", "-aec", "DCMQRSCP", "127.0.0.1", self.port, "+sd", "+r", *paths)
        assert done.returncode == 0, done.stdout


def write_cohort(path: Path, header: str, rows: Iterable[str]) -> Path:
    """A CSV file."""
    path.write_text("\n".join([header, *rows]) + "\n")
    return path
