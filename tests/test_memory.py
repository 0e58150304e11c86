"""The tests of limits of memory, in a process that has not had any."""

import subprocess
import sys
from pathlib import Path


def test_limits_of_memory():
    cases = Path(__file__).with_name("memory_cases.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(cases)]
    done = subprocess.run(command, cwd=cases.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
