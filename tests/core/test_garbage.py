from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

from core.garbage import loading


@pytest.fixture(autouse=True)
def collections() -> Generator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_what_is_loaded_is_left_out_of_later_collections() -> None:
    gc.unfreeze()
    with loading():
        assert not gc.isenabled()
        loaded = [[number] for number in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(loaded)


def test_a_collector_that_was_off_stays_off_and_an_error_turns_it_on_again() -> None:
    gc.disable()
    with loading():
        pass
    assert not gc.isenabled()
    gc.enable()
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()
