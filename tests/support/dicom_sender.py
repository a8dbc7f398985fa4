"""A sender in a process of its own: sends images in their order, and writes the UID of each that is acknowledged.

python -m tests.support.dicom_sender PORT ACKNOWLEDGED FILE…
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pynetdicom
from pydicom import dcmread
from pynetdicom import AE


def main(port: int, acknowledged: Path, paths: list[Path]) -> int:
    """Send; 0 if everything was acknowledged."""
    pynetdicom._config.STORE_SEND_CHUNKED_DATASET = True
    entity = AE("STORESCU")
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="SENDIT")
    if not association.is_established:
        return 1
    with acknowledged.open("a") as log:
        for path in paths:
            uid = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
            if association.send_c_store(path).get("Status", 1) != 0:
                return 1
            log.write(f"{uid}\n")
            log.flush()
            os.fsync(log.fileno())
    association.release()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]]))
