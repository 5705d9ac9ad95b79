from __future__ import annotations

from typing import Any

from scripts.experiments.order import find_disorder


def write(*rows: dict[str, Any], told: str) -> list[str]:
    """What is found when rows were written in this order and told, or changed, in the order of `told` (their ids)."""
    keys = ("turn_id", "promise_id")
    written = [
        {
            "front": "account:1",
            "text": "",
            "chat_id": "7",
            "message_id": row["id"],
            **dict.fromkeys(keys),
            "kind": "answer",
            **row,
        }
        for row in rows
    ]
    spans = {("account:1", "7", int(number)): (100 + told.index(number), 100 + told.rindex(number)) for number in told}
    return list(find_disorder(written, spans))


def test_rows_told_as_they_were_written_are_in_order() -> None:
    assert write({"id": 1}, {"id": 2}, {"id": 3}, told="123") == []


def test_a_row_that_a_later_one_overtook_is_named() -> None:
    assert write({"id": 1}, {"id": 2}, {"id": 3}, told="213") == ["out of order: answer 1 after answer 2 in 7"]


def test_a_held_acknowledgement_may_come_late() -> None:
    assert write({"id": 1, "kind": "ack", "promise_id": 5, "turn_id": 1}, {"id": 2}, told="21") == []


def test_what_a_promise_says_never_comes_before_its_acknowledgement() -> None:
    ack, result = {"id": 1, "kind": "ack", "promise_id": 5, "turn_id": 1}, {"id": 2, "kind": "result", "promise_id": 5}
    assert write(ack, result, told="21") == ["out of order: result 2 before something of its promise in 7"]


def test_a_result_may_wait_for_its_acknowledgement_but_no_longer() -> None:
    ack, result = {"id": 1, "kind": "ack", "promise_id": 5, "turn_id": 1}, {"id": 2, "kind": "result", "promise_id": 5}
    assert write(ack, result, {"id": 3}, told="312") == []
    assert write(ack, result, {"id": 3}, told="132") == ["out of order: result 2 after answer 3 in 7"]
    assert write(ack, result, {"id": 3}, {"id": 4}, told="3142") == ["out of order: result 2 after answer 4 in 7"]


def test_a_covered_acknowledgement_is_let_go_with_the_first_of_its_turn() -> None:
    first = {"id": 1, "kind": "ack", "promise_id": 5, "turn_id": 1}
    covered = {"id": 2, "kind": "ack", "promise_id": 6, "turn_id": 1}
    result = {"id": 3, "kind": "result", "promise_id": 6}
    assert write(first, covered, result, {"id": 4}, told="413") == []
    assert write(first, covered, result, {"id": 4}, told="143") == ["out of order: result 3 after answer 4 in 7"]


def test_an_answer_that_had_grown_lets_its_promises_go_when_it_is_changed() -> None:
    ack = {"id": 1, "kind": "ack", "promise_id": 5, "turn_id": 1}
    result = {"id": 2, "kind": "result", "promise_id": 5}
    answer = {"id": 3, "promise_id": 5, "turn_id": 1}
    assert write(ack, result, answer, {"id": 4}, told="3432") == []
    assert write(ack, result, answer, {"id": 4}, told="3342") == ["out of order: result 2 after answer 4 in 7"]
    assert write(ack, answer, result | {"id": 4}, told="43") == [
        "out of order: result 4 before something of its promise in 7"
    ]


def test_whatever_speaks_of_promises_waits_for_an_answer_that_had_grown_and_acknowledges_some() -> None:
    ack = {"id": 1, "kind": "ack", "promise_id": 5, "turn_id": 1}
    answer, other = {"id": 2, "promise_id": 5, "turn_id": 1}, {"id": 3, "kind": "notice", "promise_id": 4}
    assert write(ack, answer, other, {"id": 4}, told="2423") == []
    assert write(ack, answer, other, {"id": 4}, told="2243") == ["out of order: notice 3 after answer 4 in 7"]
    assert write(ack, answer, other | {"promise_id": None}, {"id": 4}, told="2423") == [
        "out of order: notice 3 after answer 4 in 7"
    ]


def test_an_answer_that_acknowledges_what_was_promised_after_it_had_begun_stands_where_it_began() -> None:
    answer, result = {"id": 1, "promise_id": 5, "turn_id": 1}, {"id": 2, "kind": "result", "promise_id": 4}
    ack = {"id": 3, "kind": "ack", "promise_id": 5, "turn_id": 1}
    assert write(answer, result, ack, told="12") == []


def test_what_says_that_a_promise_is_taken_up_again_is_held_as_its_acknowledgement_was() -> None:
    retry = {"id": 1, "kind": "retry 1", "promise_id": 5, "turn_id": 2}
    assert write(retry, {"id": 2}, told="21") == []
    assert write(retry, {"id": 2, "kind": "result", "promise_id": 5}, told="21") == [
        "out of order: result 2 before something of its promise in 7"
    ]
