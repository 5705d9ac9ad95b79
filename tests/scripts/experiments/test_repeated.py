"""Each rule for promises that come again is broken once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.schema import promises
from scripts.experiments.mind import TICKS
from scripts.experiments.people import Asked
from tests.scripts.experiments.scene import NOW, Quiet, quiet

OFTEN = "eeeeeeee"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Quiet]:
    """A promise that was kept twice, each time an hour later, and then cancelled."""
    with quiet(tmp_path) as made:
        asked = made.ask("often", OFTEN)
        made.answer(asked)
        for _ in range(2):
            tick(made, made.keep(asked, "tick"))
        cancelled = made.keep(asked, "tick")
        made.scene.world.delete(made.scene.world.messages(asked.chat)[-1])
        made.change("DELETE FROM deliveries WHERE promise_id = :number", number=cancelled)
        made.change("UPDATE promises SET status = 'cancelled' WHERE id = :number", number=cancelled)
        made.deliver(made.say("Cancelled.", asked.message), kind="notice", promise_id=cancelled)
        for number in (1, 2, 3):
            due(made, number, number)
        yield made


def asked_in(scene: Quiet) -> Asked:
    return scene.scene.people.asked[0]


def tick(scene: Quiet, number: int) -> None:
    """The promise of that number has a run of its own, which added its line."""
    scene.change("UPDATE promises SET run_id = 'run_' || id WHERE id = :number", number=number)
    with (scene.lines.parent / TICKS).open("a") as lines:
        lines.write(f"{OFTEN} run_{number}\n")


def due(scene: Quiet, number: int, hours: int) -> None:
    with scene.engine.begin() as connection:
        at = NOW + timedelta(hours=hours)
        connection.execute(promises.update().where(promises.c.id == number).values(every="1h", due_at=at))


def test_a_series_as_it_should_be_has_no_violation(scene: Quiet) -> None:
    assert scene.look() == []


def lose_the_rest(scene: Quiet) -> None:
    scene.scene.world.delete(scene.scene.world.messages(asked_in(scene).chat)[-1])
    scene.change("DELETE FROM deliveries WHERE promise_id = 3")
    scene.change("DELETE FROM promises WHERE id = 3")


def come_twice(scene: Quiet) -> None:
    due(scene, 2, 1)


def begin_a_second_series(scene: Quiet) -> None:
    scene.change("UPDATE promises SET status = 'cancelled' WHERE id = 2")


def leave_open(scene: Quiet) -> None:
    scene.change("UPDATE promises SET status = 'waiting' WHERE id = 3")


def tell_once_more(scene: Quiet) -> None:
    again = scene.say(f"Here it is: kept:{OFTEN}", asked_in(scene).message)
    scene.deliver(again, kind="notice", promise_id=2)


def tell_never(scene: Quiet) -> None:
    scene.scene.world.delete(
        next(one for one in scene.scene.world.messages(asked_in(scene).chat) if "kept" in one.text)
    )
    scene.change("DELETE FROM deliveries WHERE promise_id = 1")


def tell_of_another(scene: Quiet) -> None:
    scene.change("UPDATE deliveries SET promise_id = 3 WHERE promise_id = 2")


def work_twice(scene: Quiet) -> None:
    tick(scene, 2)


def work_never(scene: Quiet) -> None:
    (scene.lines.parent / TICKS).unlink()


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lose_the_rest, f"not one series: often {OFTEN}, whose promises [] of [1, 2] were not kept"),
        (begin_a_second_series, f"not one series: often {OFTEN}, whose promises [2, 3] of [1, 2, 3] were not kept"),
        (come_twice, f"twice at one moment: often {OFTEN}"),
        (leave_open, "never settled: promise 3, a repeated one, is waiting"),
        (tell_once_more, "told 2 times: promise 2, a repeated one, is completed, and its result stands in the chat 2"),
        (tell_never, "told 0 times: promise 1, a repeated one, is completed, and its result stands in the chat 0"),
        (tell_of_another, "told 0 times: promise 2, a repeated one, is completed, and its result stands in the chat 0"),
        (work_twice, "2 lines: promise 2, a repeated one, is completed"),
        (work_never, "0 lines: promise 1, a repeated one, is completed"),
    ],
)
def test_whatever_is_wrong_is_found_and_named(scene: Quiet, spoil: Callable[[Quiet], None], rule: str) -> None:
    spoil(scene)
    assert any(line.startswith(rule) for line in scene.look()), scene.look()
