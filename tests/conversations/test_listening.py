"""Listening: a paid call, with its row and its patience."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from conversations.listening import Listening
from conversations.turn import Turn
from core.clock import SystemClock
from core.errors import ModelRefused, ModelUnavailable, RequestError
from integrations.speech import Speech
from runtime.accounts import Accounts
from tests.conversations.stage import DM, OLGA, Stage
from tests.world.content import WAV
from tests.world.speech import SpeechWorld, refusal

BUSY = refusal(503, "Overloaded", retry_after="0.001")


@pytest.fixture
async def world() -> AsyncIterator[SpeechWorld]:
    async with SpeechWorld() as world:
        yield world


def listening(stage: Stage, world: SpeechWorld | None) -> Listening:
    clock = SystemClock()
    speech = world and Speech("key", world.url, "whisper-1", is_own_address=True)
    return Listening(speech, Accounts(stage.database, clock), clock, first_wait=0.001)


async def turn_of(stage: Stage) -> Turn:
    await stage.say(DM, OLGA, "listen")
    await stage.quiet()
    return stage.agent.asked[-1][0]


async def test_b11_what_is_said_is_paid_for_once_and_written_down(stage: Stage, world: SpeechWorld) -> None:
    world.said[WAV] = "Hello."
    turn = await turn_of(stage)
    assert await listening(stage, world)(WAV, turn) == "Hello."
    (call,) = await stage.rows("llm_calls")
    assert (call.kind, call.model, call.run, call.outcome) == ("transcription", "whisper-1", turn.run_id, "ok")


async def test_b11_a_service_that_is_busy_is_asked_again(stage: Stage, world: SpeechWorld) -> None:
    world.fail(BUSY, BUSY)
    assert await listening(stage, world)(WAV, await turn_of(stage)) == f"Heard {len(WAV)} bytes."
    assert [call.outcome for call in await stage.rows("llm_calls")] == ["error", "error", "ok"]
    world.fail(BUSY, BUSY, BUSY)
    with pytest.raises(ModelUnavailable):
        await listening(stage, world)(WAV, await turn_of(stage))


async def test_b11_what_is_refused_is_not_asked_again(stage: Stage, world: SpeechWorld) -> None:
    turn = await turn_of(stage)
    with pytest.raises(RequestError):
        await listening(stage, world)(b"no sound", turn)
    world.fail(refusal(401, "No such key"))
    with pytest.raises(ModelRefused):
        await listening(stage, world)(WAV, turn)
    assert len(world.heard) == 1


async def test_b11_without_a_key_one_sentence_says_who_can_mend_it(stage: Stage) -> None:
    with pytest.raises(ModelRefused, match="OPENAI_API_KEY is not set: the owner can set it"):
        await listening(stage, None)(WAV, await turn_of(stage))
