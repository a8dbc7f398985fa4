"""Hatchling's hook: a wheel has its bill of materials in `.dist-info/sboms` (PEP 770), and beside it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BillOfMaterials(BuildHookInterface):  # type: ignore[type-arg]
    """Adds it to each wheel that is not an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write it into the folder of the wheel."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from bom.bill import make_bill

        release = self.metadata.version
        path = Path(self.directory) / f"sendit-{release}.cdx.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make_bill(Path(self.root), release))
        build_data["sbom_files"].append(str(path))
