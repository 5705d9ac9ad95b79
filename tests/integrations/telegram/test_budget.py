"""The budget of calls: what waits for what, and that a refusal is never answered by asking again."""

from __future__ import annotations

import asyncio

import pytest

from core.clock import FakeClock
from core.errors import FloodWait
from core.message import Chat, Part
from integrations.telegram.budget import IDLE_CHATS, Budget, Purpose, Rates
from tests.integrations.telegram.desk import Desk, Home

HERE, THERE = Chat("account:1", "1"), Chat("account:1", "2")
RATES = Rates(account=10, account_burst=20, chat=1, chat_burst=5)


async def entered(budget: Budget, purpose: Purpose, chat: Chat = HERE) -> bool:
    """Whether a call has its turn at once."""
    task = asyncio.create_task(budget.enter(purpose, chat))
    await asyncio.wait({task}, timeout=0)
    if task.done():
        task.result()
        return True
    task.cancel()
    return False


async def test_b2_decoration_leaves_half_of_a_chat_s_budget_to_answers() -> None:
    budget = Budget(FakeClock(), RATES)
    decorated = [await entered(budget, Purpose.DECORATION) for _ in range(5)]
    changed = [await entered(budget, Purpose.CHANGE) for _ in range(2)]
    answered = [await entered(budget, Purpose.ANSWER) for _ in range(3)]
    assert decorated == [True, True, True, False, False]
    assert changed == [True, False]
    assert answered == [True, False, False]
    assert await entered(budget, Purpose.ANSWER, THERE)


async def test_b2_the_account_has_one_budget_for_all_chats() -> None:
    budget = Budget(FakeClock(), RATES)
    taken = [await entered(budget, Purpose.ANSWER, Chat("account:1", str(number))) for number in range(21)]
    assert taken == [True] * 20 + [False]


async def test_b2_an_answer_waits_for_its_turn_and_decoration_not_for_long() -> None:
    clock = FakeClock()
    budget = Budget(clock, RATES)
    for _ in range(5):
        await budget.enter(Purpose.ANSWER, HERE)
    waiting = asyncio.create_task(budget.enter(Purpose.ANSWER, HERE))
    await clock.until_asleep()
    assert not waiting.done()
    clock.advance(1)
    await waiting
    slow = Budget(clock, Rates(chat=0.01, chat_burst=2))
    await slow.enter(Purpose.ANSWER, HERE)
    with pytest.raises(FloodWait):
        await slow.enter(Purpose.DECORATION, HERE)


async def test_b2_after_a_refusal_the_kind_waits_decoration_with_it_and_the_rest_is_slower() -> None:
    clock = FakeClock()
    budget = Budget(clock, RATES)
    budget.refused("SendMessageRequest", 30)
    with pytest.raises(FloodWait) as refused:
        budget.check("SendMessageRequest")
    assert refused.value.seconds == 30
    budget.check("EditMessageRequest")
    with pytest.raises(FloodWait):
        await budget.enter(Purpose.DECORATION, THERE)
    clock.advance(31)
    budget.check("SendMessageRequest")
    assert await entered(budget, Purpose.DECORATION, THERE)
    assert budget._account.rate == 5
    clock.advance(60)
    assert await entered(budget, Purpose.ANSWER)
    assert budget._account.rate == 10


async def test_b2_refusals_of_one_moment_cut_the_rate_once() -> None:
    clock = FakeClock()
    budget = Budget(clock, RATES)
    for kind in ("SendMessageRequest", "EditMessageRequest", "SendMediaRequest"):
        budget.refused(kind, 3)
    assert budget._account.rate == 5
    clock.advance(1)
    budget.refused("SendMessageRequest", 3)
    assert budget._account.rate == 2.5


async def test_b3_other_chats_answers_do_not_keep_a_change_waiting_for_ever() -> None:
    """At a rate that was cut they take every call there is; the change heads its own chat's queue."""
    clock = FakeClock()
    budget = Budget(clock, Rates(account=1, account_burst=20, chat=1, chat_burst=5))
    others = (Chat("account:1", str(number)) for number in range(10, 100))
    for _ in range(20):
        await budget.enter(Purpose.ANSWER, next(others))
    answers = [asyncio.create_task(budget.enter(Purpose.ANSWER, next(others)))]
    change = asyncio.create_task(budget.enter(Purpose.CHANGE, HERE))
    for _ in range(40):
        await clock.until_asleep()
        answers.append(asyncio.create_task(budget.enter(Purpose.ANSWER, next(others))))
        clock.advance(1)
        await asyncio.wait({change, *answers}, timeout=0)
        if change.done():
            break
    assert change.done()
    assert len(answers) < 20
    for answer in answers:
        answer.cancel()


async def test_b2_slow_mode_is_of_its_chat_alone() -> None:
    budget = Budget(FakeClock(), RATES)
    budget.slow_mode(HERE, 9)
    with pytest.raises(FloodWait):
        await budget.enter(Purpose.ANSWER, HERE)
    assert await entered(budget, Purpose.DECORATION, HERE)
    assert await entered(budget, Purpose.ANSWER, THERE)


async def test_chats_that_rest_are_forgotten() -> None:
    clock = FakeClock()
    budget = Budget(clock)
    for number in range(IDLE_CHATS + 1):
        await budget.enter(Purpose.ANSWER, Chat("account:1", str(number)))
        clock.advance(1)
    await budget.enter(Purpose.ANSWER, HERE)
    assert len(budget._chats) < 10


async def test_b2_a_flood_wait_is_waited_out_and_nobody_asks_again_meanwhile(home: Home) -> None:
    ben = home.world.person("Ben")
    for person in (home.anna, ben):
        home.world.say(person, home.valor, "hello")
    async with home.userbot(Desk()) as bot:
        home.world.faults.flood_wait(2, home.valor, "messages.sendMessage")
        with pytest.raises(FloodWait):
            await bot.send(Part(home.chat(home.anna), "one", random_id=1))
        for _ in range(5):
            with pytest.raises(FloodWait):
                await bot.send(Part(home.chat(ben), "two", random_id=2))
            with pytest.raises(FloodWait):
                await bot.show_typing(home.chat(ben))
        assert len(home.world.ledger.calls("messages.sendMessage", home.valor)) == 1
        assert home.world.ledger.did("typing", home.valor) == []


async def test_b2_slow_mode_holds_back_one_group(home: Home) -> None:
    slow, other = (home.world.group(title, [home.anna, home.valor]) for title in ("Slow", "Other"))
    async with home.userbot(Desk()) as bot:
        home.world.faults.error("SLOWMODE_WAIT_60", 420, method="messages.sendMessage")
        for _ in range(3):
            with pytest.raises(FloodWait) as wait:
                await bot.send(Part(home.chat(slow), "one", random_id=1))
            assert 59 < wait.value.seconds <= 60
        assert len(home.world.ledger.calls("messages.sendMessage", home.valor)) == 1
        await bot.send(Part(home.chat(other), "two", random_id=2))


def test_the_rates_of_an_account_follow_from_its_calls_a_second() -> None:
    assert Rates.of(60) == Rates()
    assert Rates.of(120) == Rates(120, 240, 10, 60)
