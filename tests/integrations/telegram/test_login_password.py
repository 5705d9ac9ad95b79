"""Signing in an account that has a password (two-step verification), against the played Telegram."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from core.errors import SessionError
from integrations.telegram.login import sign_in
from tests.integrations.telegram.desk import Desk, Home
from tests.integrations.telegram.test_login import Typist

PASSWORD = "correct horse"
WRONG = "This is not the account's password."
CHECK = "auth.checkPassword"


@pytest.fixture
def guarded(home: Home) -> Home:
    """The account has a password, and its session is ended."""
    home.world.revoke(home.valor)
    home.valor.password = PASSWORD
    return home


def typist(home: Home, *passwords: str) -> Typist:
    return Typist([home.valor.phone], [home.valor.code], list(passwords))


def outcomes(home: Home) -> list[str]:
    """How Telegram judged each password that it was asked to check."""
    return [call.outcome for call in home.world.ledger.calls(CHECK)]


@pytest.mark.parametrize("password", [PASSWORD, "Schlüssel ключ 🗝", " blanks count "])
async def test_an_account_with_a_password_signs_in_and_then_works(guarded: Home, password: str) -> None:
    guarded.valor.password = password
    signed = await sign_in(guarded.access, typist(guarded, password))
    assert (signed.account.id, signed.was_good) == (guarded.valor.id, False)
    assert outcomes(guarded) == ["ok"]
    assert (await sign_in(guarded.access, Typist([]))).was_good
    async with guarded.userbot(Desk()) as bot:
        assert bot.health().status == "healthy"


async def test_a_wrong_and_an_empty_password_are_told_and_asked_again(guarded: Home) -> None:
    answers = typist(guarded, PASSWORD.upper(), "", PASSWORD)
    assert not (await sign_in(guarded.access, answers)).was_good
    assert answers.told == [WRONG, "The password is empty."]
    assert outcomes(guarded) == ["PASSWORD_HASH_INVALID", "ok"]


async def test_who_does_not_know_the_password_is_not_in_and_may_start_again(guarded: Home) -> None:
    stranger = typist(guarded, "1", "2", "3")
    with pytest.raises(SessionError, match="start again"):
        await sign_in(guarded.access, stranger)
    assert stranger.told == [WRONG] * 3
    assert not (await sign_in(guarded.access, typist(guarded, PASSWORD))).was_good


async def test_a_password_that_telegram_could_not_check_is_asked_for_again(guarded: Home) -> None:
    guarded.world.faults.error("SRP_ID_INVALID", method=CHECK)
    answers = typist(guarded, PASSWORD, PASSWORD)
    assert not (await sign_in(guarded.access, answers)).was_good
    assert answers.told == ["Telegram could not check the password: type it once more."]


async def test_too_many_wrong_passwords_are_told_with_the_wait(guarded: Home) -> None:
    guarded.world.faults.flood_wait(600, method=CHECK)
    with pytest.raises(SessionError, match="wait 600 s"):
        await sign_in(guarded.access, typist(guarded, PASSWORD))


async def test_s7_a_password_is_neither_logged_nor_told_nor_kept(
    guarded: Home, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="telethon")  # which may have been quietened, as in the product
    answers = typist(guarded, "mistyped-" + PASSWORD, PASSWORD)
    await sign_in(guarded.access, answers)
    assert outcomes(guarded) == ["PASSWORD_HASH_INVALID", "ok"]
    assert caplog.records
    said = "".join([caplog.text, *answers.told, *capfd.readouterr()])
    assert PASSWORD not in said
    assert not [path for path in files_of(guarded.folder) if PASSWORD.encode() in path.read_bytes()]


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
