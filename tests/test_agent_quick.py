"""`python tests/test_agent_quick.py`: the quick part of the suite about agents. A thin door, no test of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent

if __name__ == "__main__":
    quick = [str(TESTS / folder) for folder in ("agents", "runtime") if (TESTS / folder).is_dir()]
    sys.exit(subprocess.call([TESTS.parent / "scripts" / "test", "-x", *quick, *sys.argv[1:]]))
