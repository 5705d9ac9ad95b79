"""What every test shares. Small on purpose: worlds, products and people live in tests/world and beside their tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from core.settings import Settings

# What starts the whole product, or lets it die at every edge: minutes each, and run by `scripts/test --all` alone.
WHOLE = (
    "acceptance",
    "conversations/test_crashes.py",
    "promises/test_worker.py",
    "runtime/test_journal_kills.py",
    "scripts/test_bench.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if any(item.path.is_relative_to(here / place) for place in WHOLE):
            item.add_marker("whole")


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
