# pyright: basic, reportArgumentType=false
"""The played Telegram checks passwords as Telegram does: shown with a real Telethon client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from telethon import errors
from telethon.password import compute_check, sha256, xor
from telethon.sessions import MemorySession
from telethon.tl import functions as fn
from telethon.tl import types as tl

from tests.world.telegram import Person, TelegramWorld
from tests.world.telegram.client import connect_client
from tests.world.telegram.handshake import PRIME

PASSWORD = "pässword"


@pytest.fixture
def anna(world: TelegramWorld) -> Person:
    made = world.person("Anna", "anna")
    made.password = PASSWORD
    return made


@pytest.fixture
async def client(world: TelegramWorld, anna: Person) -> AsyncIterator[Any]:
    """Half in: the code was right, the password is owed."""
    made: Any = connect_client(MemorySession(), world.server)
    await made.connect()
    await made.send_code_request(anna.phone)
    with pytest.raises(errors.SessionPasswordNeededError):
        await made.sign_in(anna.phone, anna.code)
    yield made
    await made.disconnect()


def check(question: Any, password: str = PASSWORD) -> fn.auth.CheckPasswordRequest:
    return fn.auth.CheckPasswordRequest(compute_check(question, password))


async def test_the_code_alone_lets_nobody_in(client: Any, world: TelegramWorld, anna: Person) -> None:
    assert not await client.is_user_authorized()
    assert not world.connected(anna)


async def test_a_proof_of_the_password_signs_in(client: Any, anna: Person) -> None:
    me: Any = await client.sign_in(password=PASSWORD)
    assert me.id == anna.id
    assert (await client(fn.account.GetPasswordRequest())).has_password


async def test_each_question_is_good_for_one_answer(client: Any) -> None:
    question = await client(fn.account.GetPasswordRequest())
    with pytest.raises(errors.PasswordHashInvalidError):
        await client(check(question, "password"))
    with pytest.raises(errors.SrpIdInvalidError):
        await client(check(question))
    assert not await client.is_user_authorized()


async def test_an_overtaken_question_is_stale(client: Any, anna: Person) -> None:
    first = await client(fn.account.GetPasswordRequest())
    await client(fn.account.GetPasswordRequest())
    with pytest.raises(errors.SrpIdInvalidError):
        await client(check(first))


def forge(question: Any, number: int) -> tl.InputCheckPasswordSRP:
    """What a number that the prime divides proves without a password: the secret that comes of it is 0."""
    algo, mine = question.current_algo, number.to_bytes(256, "big")
    groups = xor(sha256(algo.p), sha256(algo.g.to_bytes(256, "big")))
    salts = sha256(algo.salt1), sha256(algo.salt2)
    return tl.InputCheckPasswordSRP(
        question.srp_id, mine, sha256(groups, *salts, mine, question.srp_B, sha256(bytes(256)))
    )


@pytest.mark.parametrize("number", [0, PRIME], ids=["zero", "prime"])
async def test_a_number_that_proves_anything_is_refused(client: Any, number: int) -> None:
    forged = forge(await client(fn.account.GetPasswordRequest()), number)
    with pytest.raises(errors.PasswordHashInvalidError):
        await client(fn.auth.CheckPasswordRequest(forged))


async def test_no_proof_is_a_wrong_one(client: Any) -> None:
    with pytest.raises(errors.PasswordHashInvalidError):
        await client(fn.auth.CheckPasswordRequest(tl.InputCheckPasswordEmpty()))


async def test_without_a_password_there_is_no_question(world: TelegramWorld) -> None:
    async with world.player(world.person("Ben")) as player:
        answer: Any = await player.client(fn.account.GetPasswordRequest())
        assert (answer.has_password, answer.current_algo, answer.srp_id) == (False, None, None)
