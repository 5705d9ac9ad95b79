"""One promise waits for another, and ends when it is cancelled: each rule is broken once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.schema import promise_dependencies
from scripts.experiments.mind import NOW as AT_ONCE
from scripts.experiments.mind import STAMPS, follower, think
from scripts.experiments.people import Asked
from tests.scripts.experiments.scene import Quiet, quiet
from tests.world.anthropic import Asked as Request
from tests.world.anthropic import Call, Say

CHAIN, KEEP = "aaaaaaaa", "bbbbbbbb"
NEXT = follower(CHAIN)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Quiet]:
    """A promise and one that followed it, both kept."""
    with quiet(tmp_path) as made:
        chain = made.ask("chain", CHAIN)
        made.answer(chain)
        first = made.keep(chain)
        second = made.keep(Asked(chain.message, chain.person, chain.chat, "chain", NEXT))
        made.add(promise_dependencies, promise_id=second, after_id=first)
        yield made


def stamp(scene: Quiet, *stamps: str) -> None:
    (scene.lines.parent / STAMPS).write_text("".join(f"{one}\n" for one in stamps))


def fail(scene: Quiet, nonce: str, status: str, error: str = "Cancelled.") -> None:
    """As if it had come to this end, and been told of it."""
    for said in [deed.number for deed in scene.scene.world.ledger.deeds if f"kept:{nonce}" in deed.detail]:
        scene.scene.world.edit(scene.scene.world.ledger.message(said or 0), error)
    left = [line for line in scene.lines.read_text().splitlines() if line != nonce]
    scene.lines.write_text("".join(f"{line}\n" for line in left))
    about = {"task": f"append:{nonce}"}
    scene.change(
        "UPDATE promises SET status = :s, error_message = :e WHERE task_description = :task", s=status, e=error, **about
    )
    scene.change(
        "UPDATE deliveries SET text = :e, kind = 'notice' WHERE promise_id ="
        " (SELECT id FROM promises WHERE task_description = :task)",
        e=error,
        **about,
    )


def test_p7_one_that_waited_for_the_other_is_as_it_should_be(scene: Quiet) -> None:
    stamp(scene, f"+ {CHAIN} 1", f"- {CHAIN} 2", f"+ {NEXT} 3", f"- {NEXT} 4")
    assert scene.look() == []


def test_p7_one_that_began_before_the_other_had_ended_did_not_wait(scene: Quiet) -> None:
    stamp(scene, f"+ {CHAIN} 1", f"- {CHAIN} 2", f"- {CHAIN} 5", f"+ {NEXT} 4")
    assert "did not wait: promise 2 for 1, which is completed, and began before that was done" in scene.look()


def test_p7_one_that_was_kept_though_the_other_was_not_did_not_wait(scene: Quiet) -> None:
    fail(scene, CHAIN, "cancelled")
    assert scene.look() == ["did not wait: promise 2 for 1, which is cancelled"]


def test_p7_a_follower_that_is_not_there_is_lost(scene: Quiet) -> None:
    scene.change("DELETE FROM promise_dependencies")
    scene.change("DELETE FROM promises WHERE id = 2")
    assert f"lost: chain {CHAIN} has no follower" in scene.look()
    fail(scene, CHAIN, "cancelled")
    assert f"lost: chain {CHAIN} has no follower" not in scene.look()


@pytest.mark.parametrize(("leader", "retried"), [("cancelled", False), ("completed", True), ("completed", False)])
def test_p7_a_follower_may_fail_with_what_it_follows_alone(scene: Quiet, leader: str, retried: bool) -> None:
    error = "Promise #1, which it follows, was cancelled."
    fail(scene, NEXT, "failed", error)
    if leader == "cancelled":
        fail(scene, CHAIN, leader)
    if retried:
        scene.change("UPDATE deliveries SET kind = 'retry 1' WHERE kind = 'answer'")
        scene.change("UPDATE deliveries SET promise_id = 1 WHERE kind = 'retry 1'")
    wrong = [line for line in scene.look() if line.startswith("failed")]
    assert wrong == ([] if leader != "completed" or retried else [f"failed: promise 2 ({NEXT}): {error}"])


@pytest.mark.parametrize(
    ("epoch", "late", "wrong"),
    [(0, -9, "begun though cancelled"), (1, 9, "worked at after its cancel was told"), (1, -9, "")],
)
def test_p5_nobody_works_at_what_is_cancelled(tmp_path: Path, epoch: int, late: int, wrong: str) -> None:
    with quiet(tmp_path) as scene:
        asked = scene.ask("keep", KEEP)
        scene.answer(asked)
        scene.keep(asked)
        fail(scene, KEEP, "cancelled")
        scene.change("UPDATE promises SET epoch = :epoch", epoch=epoch)
        stamp(scene, f"+ {KEEP} {time.time_ns() + late * 10**9}")
        assert scene.look() == ([f"{wrong}: promise 1"] if wrong else [])


def request(said: str, *results: tuple[Call, str]) -> Request:
    """What the model is asked after these calls."""
    messages: list[Any] = [{"role": "user", "content": said}]
    for at, (call, text) in enumerate(results):
        use = {"type": "tool_use", "id": f"call_{at}", "name": call.tool, "input": call.args}
        result = {"type": "tool_result", "tool_use_id": f"call_{at}", "content": text}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    return Request({"messages": messages})


def test_the_model_promises_one_and_then_what_follows_it() -> None:
    first = think(request(f"chain:{CHAIN}"))
    assert isinstance(first, Call)
    made = (first, "Promise #7 is made (pending). The chat gets its result by itself.")
    second = think(request(f"chain:{CHAIN}", made))
    assert isinstance(second, Call)
    assert second.args == {"task": f"append:{NEXT} after {CHAIN}", "task_type": "code", "after": [7]}
    both = request(f"chain:{CHAIN}", made, (second, "Promise #8 is made (waiting)."))
    assert think(both) == Say(f"Here it is: re:{CHAIN}")
    work = think(request(f"chain:{CHAIN}", (first, f"No: {AT_ONCE}.")))
    assert isinstance(work, Call)
    assert work.tool == "run_command"


def test_p7_some_promises_are_more_urgent_than_others() -> None:
    calls = [think(request(f"keep:{nonce}")) for nonce in ("0aaaaaaa", KEEP)]
    assert [isinstance(call, Call) and "when" in call.args for call in calls] == [True, False]
