from __future__ import annotations

from collections import Counter

from scripts.experiments.lateness import Told, late_99, looks_within, worst_minute


def every_5_s(*added: dict[int, int]) -> list[Told]:
    """What is told when so many looks are added each time to those before."""
    sums = [sum((Counter(one) for one in added[: at + 1]), Counter[int]()) for at in range(len(added))]
    return [Told(at * 5.0, looks) for at, looks in enumerate(sums)]


def test_99_of_100_looks_are_not_later_than_that() -> None:
    assert late_99(Counter({3: 99, 80: 1})) == 80
    assert late_99(Counter({3: 100, 80: 1})) == 3
    assert late_99(Counter({80: 1, 3: 99, 5: 100})) == 5
    assert late_99(Counter()) == 0


def test_what_was_counted_before_the_first_is_told_does_not_count() -> None:
    assert looks_within(every_5_s({900: 50}, {3: 50}, {3: 20, 7: 30})) == {3: 70, 7: 30}
    assert looks_within([]) == looks_within(every_5_s({900: 50})) == {}


def test_a_process_that_begins_anew_is_counted_on() -> None:
    told = [*every_5_s({3: 50}, {3: 50}), Told(10.0, Counter({3: 10, 7: 20})), Told(15.0, Counter({3: 10, 7: 30}))]
    assert looks_within(told) == {3: 60, 7: 30}


def test_the_worst_minute_is_judged_alone() -> None:
    calm, stalled = {3: 50}, {3: 40, 80: 10}
    told = every_5_s(*[calm] * 40, stalled, *[calm] * 40)
    assert (late_99(looks_within(told)), worst_minute(told)) == (3, 80)
    assert worst_minute(every_5_s({900: 50}, *[calm] * 40)) == 3


def test_looks_that_are_late_once_in_every_minute_are_not_hidden_by_a_median() -> None:
    """A median of minutes would say 3 ms."""
    told = every_5_s({3: 50}, *([{3: 50}] * 60 + [{3: 20, 120: 30}] * 12))
    assert late_99(looks_within(told)) == 120


def test_less_than_a_minute_is_judged_as_a_whole() -> None:
    assert worst_minute(every_5_s({900: 50}, {3: 50}, {3: 49, 80: 1})) == 80
    assert worst_minute([]) == 0
