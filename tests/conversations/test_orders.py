"""What stands behind `/promise`."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from conversations.orders import read_order
from core.errors import RequestError
from core.protocols import PromiseOrder

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("rest", "order"),
    [
        (" count the stars ", PromiseOrder("count the stars", "code")),
        ("after=3,#4 priority=-2 go on", PromiseOrder("go on", "code", (3, 4), -2)),
        ("at=2030-12-01T09:00Z go", PromiseOrder("go", "code", at=datetime(2030, 12, 1, 9, tzinfo=UTC))),
        (
            'AT="2030-12-01 09:00" zone=Europe/Berlin go\nat=once',
            PromiseOrder("go\nat=once", "code", at=datetime(2030, 12, 1, 9, tzinfo=BERLIN), zone=BERLIN.key),
        ),
        ("every=“0 9 * * mon” go", PromiseOrder("go", "code", every="0 9 * * mon")),
        ("every=30m", PromiseOrder("", "code", every="30m")),
        ("type=Search who is who", PromiseOrder("who is who", "search")),
    ],
)
def test_p7_options_stand_before_the_task(rest: str, order: PromiseOrder) -> None:
    assert read_order(rest, "code") == order


@pytest.mark.parametrize("rest", ["after=x go", "priority=high go", "at=noon go", f"after={'9' * 5_000} go"])
def test_p7_an_option_that_makes_no_sense_is_refused(rest: str) -> None:
    with pytest.raises(RequestError, match="is no"):
        read_order(rest, "code")
