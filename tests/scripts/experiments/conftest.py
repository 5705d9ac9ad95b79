from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripts.experiments.scene import Quiet, quiet


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Quiet]:
    """One in which nothing has happened yet."""
    with quiet(tmp_path) as made:
        yield made
