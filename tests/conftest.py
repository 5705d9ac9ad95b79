"""What every test shares. Small on purpose: worlds, products and people live in tests/world and beside their tests."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
