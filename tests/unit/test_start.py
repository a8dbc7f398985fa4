"""What a command pays before it begins: one that is called every minute, and reads no image, loads no pydicom."""

from __future__ import annotations

import subprocess
import sys

OFTEN = ("export_metrics", "query", "start_watcher", "status", "upload_finished")


def test_commands_that_are_called_often_load_no_pydicom() -> None:
    program = (
        "import sys, django; from importlib import import_module; django.setup()\n"
        "from sendit.pipeline import checks\n"
        f"for name in {OFTEN}:\n"
        "    import_module('sendit.pipeline.management.commands.' + name)\n"
        "    assert 'pydicom' not in sys.modules, name\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
