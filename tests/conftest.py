"""What every test shares. Small on purpose: worlds, products and people live in tests/world and beside their tests."""

from __future__ import annotations

import pytest
import structlog

from core.settings import Settings


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def plain_logging() -> None:
    """Logging as nobody has configured it, whatever the test before did."""
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests, no key above all, reaches one of them."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
