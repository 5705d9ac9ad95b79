"""Moments and zones as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.errors import RequestError, Unknown
from core.moments import find_zone, read_moment, tell_moment


def test_p7_a_moment_is_read_in_its_zone() -> None:
    assert read_moment(" 2026-07-01 09:00 ", "Europe/Berlin") == datetime(2026, 7, 1, 7, tzinfo=UTC)
    assert read_moment("2026-12-01T09:00", "Europe/Berlin") == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert read_moment("2026-12-01 09:00+02:00", "Europe/Berlin") == datetime(2026, 12, 1, 7, tzinfo=UTC)
    assert read_moment("2026-12-01 09:00") == datetime(2026, 12, 1, 9, tzinfo=UTC)


def test_p7_what_is_no_moment_is_refused() -> None:
    for text in ("tomorrow", "9999-12-31 23:59", "0001-01-01 00:00", "x" * 5_000, "2026-02-30"):
        with pytest.raises(RequestError, match="is no moment: write it like 2026-12-01 09:00") as refused:
            read_moment(text, "America/New_York")
        assert len(str(refused.value)) < 150


def test_p7_zones_are_found_in_any_case_and_unknown_ones_get_a_hint() -> None:
    assert find_zone(None).key == "UTC"
    assert find_zone("europe/berlin").key == "Europe/Berlin"
    with pytest.raises(Unknown, match=r"no time zone 'Europe/Berln': .* Did you mean Europe/Berlin"):
        find_zone("Europe/Berln")
    for nonsense in ("../../etc/passwd", "Europe", "\0", "qqqqqqqq", "x" * 5_000, "GMT+2"):
        with pytest.raises(Unknown) as refused:
            find_zone(nonsense)
        assert len(str(refused.value)) < 300
        assert "Etc/" not in str(refused.value)  # whose signs are the other way round


def test_p7_a_moment_is_told_in_its_zone() -> None:
    assert tell_moment(datetime(2026, 7, 1, 7, tzinfo=UTC), "Europe/Berlin") == "2026-07-01 09:00 (Europe/Berlin)"
    assert tell_moment(datetime(2026, 7, 1, 7, tzinfo=UTC)) == "2026-07-01 07:00 (UTC)"


def test_p7_an_hour_that_a_clock_change_leaves_out_is_an_hour_later_and_one_that_comes_twice_is_the_first() -> None:
    left_out = read_moment("2026-03-29 02:30", "Europe/Berlin")
    assert (left_out, tell_moment(left_out, "Europe/Berlin")) == (
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        "2026-03-29 03:30 (Europe/Berlin)",
    )
    assert read_moment("2026-10-25 02:30", "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
