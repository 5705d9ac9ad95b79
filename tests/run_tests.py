"""`cd tests && python run_tests.py [pytest arguments]`: a thin door to the whole suite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.exit(subprocess.call([Path(__file__).resolve().parent.parent / "scripts" / "test", *sys.argv[1:]]))
