"""The example that the documentation points to runs as it stands."""

from __future__ import annotations

import subprocess
import sys


def test_the_example_prints_its_verdict(root):
    command = [sys.executable, str(root / "examples/audit_a_module.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "accuracy.top1" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("verdict: pass")
