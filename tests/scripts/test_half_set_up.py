"""scripts/ in a folder whose set-up broke off: an environment with a Python and without the packages."""

from __future__ import annotations

import shutil
import subprocess
import venv
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    venv.create(tmp_path / ".venv", symlinks=True)
    return tmp_path


@pytest.mark.parametrize("script", ["stop.sh", "telegram_login.sh", "telegram_logout.sh", "list_telegram_groups"])
def test_a_script_says_that_the_set_up_is_to_be_finished(checkout: Path, script: str) -> None:
    shutil.copy(SCRIPTS / script, checkout / "scripts")
    ended = subprocess.run([checkout / "scripts" / script], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "run scripts/setup" in ended.stderr
    assert "Traceback" not in ended.stderr
