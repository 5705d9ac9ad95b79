"""The door to the agents' stack; what stands behind it is shown in tests/runtime and tests/acceptance."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from agents.link_reader import MANIFEST as READER
from agents.valor_agent import MANIFEST
from conversations import turn_store
from conversations.agent_answers import AgentAnswers
from core.attachment import Attachment, Kind, Picture
from core.errors import ConsentNeeded, ModelRefused
from core.events import TurnGrew
from core.message import Chat, ChatKind, Message
from core.protocols import Asker, Call, Parked
from integrations.local import LocalFront
from integrations.memory import Carried
from runtime.manifest import AgentManifest
from runtime.workplace import Errand, Workplace
from tests.conversations.stage import DM, OLGA, Stage, make_promise, next_event
from tests.world.content import PNG


@dataclass
class Played:
    """Stands where a Workplace stands: `run` and `runner.done_so_far`."""

    text: str = "answered"
    errands: list[Errand] = field(default_factory=list[Errand])

    async def run(self, errand: Errand) -> Any:
        self.errands.append(errand)
        await errand.gate()
        return self

    @property
    def runner(self) -> Any:
        return self

    async def done_so_far(self, run_id: str) -> list[str]:
        return [f"{run_id}: ran ls"]


async def test_b5_whoever_comes_first_loads_the_stack_once(stage: Stage) -> None:
    played, loads = Played(), list[int]()

    def load() -> Workplace:
        loads.append(1)
        return cast("Workplace", played)

    answers = AgentAnswers(load, stage.seen, stage.media.pictures, READER)
    stage.agent.script = lambda turn, gate: answers(turn, turn.prompt, gate)
    await asyncio.gather(stage.say(DM, OLGA, "one"), stage.say(Chat(DM.front, "-20"), OLGA, "two"))
    await stage.quiet()
    assert stage.front.texts("1") == stage.front.texts("-20") == ["answered"]
    assert {(errand.prompt, errand.turn_id, errand.epoch) for errand in played.errands} == {
        ("one", 1, 1),
        ("two", 2, 1),
    }
    assert played.errands[0].who.startswith("Olga's turn ")
    assert (await answers.done_so_far("run_1"), loads) == (["run_1: ran ls"], [1])


async def test_b11_the_run_sees_the_pictures_of_its_messages(stage: Stage) -> None:
    played = Played()
    answers = AgentAnswers(lambda: cast("Workplace", played), stage.seen, stage.media.pictures, READER)
    stage.agent.script = lambda turn, gate: answers(turn, turn.prompt, gate)
    stage.front.contents["photo/1/y"] = PNG
    photo = Attachment(Kind.PHOTO, size=len(PNG), reference="photo/1/y")
    await stage.say(DM, OLGA, "what is this?", carried=Carried((photo,)))
    await stage.quiet()
    assert played.errands[0].pictures == (Picture("image/png", PNG, "in/1"),)


async def test_p11_a_turn_that_needs_consent_is_parked_with_its_prompt(stage: Stage) -> None:
    @dataclass
    class Needing(Played):
        promises: Any = None
        parked: list[tuple[Parked, Call]] = field(default_factory=list[tuple[Parked, Call]])

        async def run(self, errand: Errand) -> Any:
            raise ConsentNeeded("send_mail", {"to": "all"}, "1:call", "digest")

        async def park(self, parked: Parked, asker: Asker, call: Call) -> Any:
            self.parked.append((parked, call))
            return await make_promise(stage.database, stage.clock, asker, "May I?", call)

    played = Needing()
    played.promises = played
    answers = AgentAnswers(lambda: cast("Workplace", played), stage.seen, stage.media.pictures, READER)
    stage.agent.script = lambda turn, gate: answers(turn, f"context, then {turn.prompt}", gate)
    await stage.say(DM, OLGA, "mail them")
    await stage.quiet()
    [(parked, call)] = played.parked
    (turn,) = await stage.rows("turns")
    assert (parked.run_id, parked.task, parked.prompt) == (turn.run_id, "mail them", "context, then mail them")
    assert call == Call(turn.run_id, "consent 1:call", turn_id=turn.id)
    assert len(stage.front.texts("1")) == 1
    assert (turn.status, turn.joinable) == ("done", False)


async def test_b5_on_the_local_page_too_nothing_joins_what_has_shown_something(stage: Stage) -> None:
    async def shut() -> None:
        raise ModelRefused("Joined.")

    asked = await stage.inbox.receive(stage.front.say("1", OLGA, "one"))
    turn = await stage.database.read(lambda connection: turn_store.find(connection, asked.turn_id or 0))
    assert turn is not None
    with stage.events.watch() as watch, pytest.raises(ModelRefused):
        async with stage.seen.of(replace(turn, chat=Chat("local", "page")), shut) as hear:
            await hear("ans")
    assert watch._events.empty()


async def test_s6_on_the_local_page_an_answer_is_seen_as_it_grows(stage: Stage) -> None:
    class Growing(Played):
        async def run(self, errand: Errand) -> Any:
            assert errand.on_text is not None
            await errand.on_text("ans")
            return await super().run(errand)

    answers = AgentAnswers(lambda: cast("Workplace", Growing()), stage.seen, stage.media.pictures, READER)
    stage.agent.script = lambda turn, gate: answers(turn, turn.prompt, gate)
    stage.attach(LocalFront())
    message = Message(Chat("local", "page"), 1, ChatKind.LOCAL, OLGA, stage.clock.now(), "one")
    with stage.events.watch() as watch:
        await stage.reception.take(message)
        grown = await next_event(watch, TurnGrew)
    await stage.quiet()
    assert (grown.text, [row.text for row in await stage.rows("deliveries")]) == ("ans", ["answered"])


@pytest.mark.parametrize("is_offline", [False, True])
async def test_b10_pages_are_summarised_by_their_reader_unless_only_the_offline_model_is_there(
    stage: Stage, is_offline: bool
) -> None:
    run: list[tuple[AgentManifest, Errand]] = []

    @dataclass(frozen=True)
    class Reading:
        manifest: AgentManifest
        text: str = "In short."

        async def run(self, errand: Errand) -> Any:
            run.append((self.manifest, errand))
            return self

        @property
        def runner(self) -> Any:
            return self

        def is_offline(self, manifest: AgentManifest) -> bool:
            return is_offline

    answers = AgentAnswers(lambda: cast("Workplace", Reading(MANIFEST)), stage.seen, stage.media.pictures, READER)
    await stage.say(DM, OLGA, "https://example.org")
    await stage.quiet()
    turn = stage.agent.asked[-1][0]
    said = await answers.summarise(turn, 1, "A page.")
    assert said == ("" if is_offline else "In short.")
    assert [(manifest, errand.prompt, errand.run_id) for manifest, errand in run] == (
        [] if is_offline else [(READER, "A page.", f"{turn.run_id}.1")]
    )
