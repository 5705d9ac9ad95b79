"""Signing in against the played Telegram."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.errors import SessionError
from integrations.telegram.login import sign_in
from integrations.telegram.session import SessionLock
from tests.integrations.telegram.desk import Desk, Home
from tests.world.telegram import TelegramWorld


@dataclass
class Typist:
    """Answers a sign-in's questions from lists."""

    phones: list[str]
    codes: list[str] = field(default_factory=list[str])
    passwords: list[str] = field(default_factory=list[str])
    told: list[str] = field(default_factory=list[str])

    async def phone(self) -> str:
        return self.phones.pop(0)

    async def code(self) -> str:
        return self.codes.pop(0)

    async def password(self) -> str:
        return self.passwords.pop(0)

    def tell(self, sentence: str) -> None:
        self.told.append(sentence)


async def test_a_new_account_signs_in_and_then_works(tmp_path: Path) -> None:
    async with TelegramWorld(tmp_path) as world:
        home = Home(world, tmp_path)
        typist = Typist(["+1", home.valor.phone], ["00000", home.valor.code])
        signed = await sign_in(home.access, typist)
        assert (signed.account.id, signed.account.usernames, signed.was_good) == (home.valor.id, ("valor_ai",), False)
        assert len(typist.told) == 2
        assert await sign_in(home.access, Typist([])) == (signed.account, True)
        async with home.userbot(Desk()) as bot:
            assert bot.account.usernames == ("valor_ai",)


@pytest.mark.parametrize("how", ["revoked", "forgotten"])
async def test_a_lost_session_is_signed_in_again(home: Home, how: str) -> None:
    if how == "revoked":
        home.world.revoke(home.valor)
    else:
        home.world.forget_keys(home.valor)
    signed = await sign_in(home.access, Typist([home.valor.phone], [home.valor.code]))
    assert not signed.was_good
    async with home.userbot(Desk()) as bot:
        assert bot.health().status == "healthy"


async def test_a_session_that_was_in_use_when_it_was_ended_is_signed_in_again(home: Home) -> None:
    """What is noted of events would be asked for first, and end the connection before a code can be."""
    async with home.userbot(Desk()):
        home.world.say(home.anna, home.valor, "hello")
    home.world.revoke(home.valor)
    assert not (await sign_in(home.access, Typist([home.valor.phone], [home.valor.code]))).was_good


async def test_the_account_may_live_in_another_data_centre(home: Home) -> None:
    home.world.revoke(home.valor)
    home.world.faults.error(f"PHONE_MIGRATE_{home.world.server.dc_id}", 303, method="auth.sendCode")
    typist = Typist([home.valor.phone], [home.valor.code])
    assert (await sign_in(home.access, typist)).account.id == home.valor.id


async def test_wrong_answers_end_in_a_sentence(home: Home) -> None:
    home.world.revoke(home.valor)
    with pytest.raises(SessionError, match="start again"):
        await sign_in(home.access, Typist([home.valor.phone], ["1", "2", "3"]))


async def test_empty_answers_and_what_is_no_number_or_text_are_asked_again(home: Home) -> None:
    home.world.revoke(home.valor)
    typist = Typist(["", "my phone", home.valor.phone], ["", "caf\udce9", home.valor.code])
    assert not (await sign_in(home.access, typist)).was_good
    assert [sentence.partition(":")[0] for sentence in typist.told] == [
        "Telegram knows no such phone number",
        "Telegram knows no such phone number",
        "The code is empty.",
        "What was typed cannot be read",
    ]


async def test_s3_a_session_in_use_is_left_alone(home: Home) -> None:
    lock = SessionLock(home.access.session_path, "valor server")
    lock.acquire()
    with pytest.raises(SessionError, match="valor server"):
        await sign_in(home.access, Typist([]))
    lock.release()


async def test_without_a_network_a_sentence_says_so(home: Home) -> None:
    await home.world.go_down()
    with pytest.raises(SessionError, match="Telegram did not answer"):
        await sign_in(home.access, Typist([]))
