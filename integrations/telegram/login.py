# pyright: basic
"""Signing the account in: phone, code, and a password where two steps are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from telethon import errors, utils
from telethon.tl import functions as fn

from core.errors import SessionError
from integrations.telegram.client import AccountClient
from integrations.telegram.directory import Account, to_account
from integrations.telegram.refusals import SESSION_LOSS, translate
from integrations.telegram.session import SessionLock, TelegramAccess, build_client, forget_key, has_key

ATTEMPTS = 3
CONNECT_SECONDS = 30.0
_MIGRATIONS = (errors.PhoneMigrateError, errors.NetworkMigrateError, errors.UserMigrateError)
_DEAD_KEYS = (errors.AuthKeyNotFound, errors.AuthKeyDuplicatedError)
_UNREADABLE = "What was typed cannot be read: set the terminal to UTF-8."
_MISTAKES = {
    errors.PhoneNumberInvalidError: "Telegram knows no such phone number: write it with + and the country's code.",
    errors.PhoneNumberUnoccupiedError: "No Telegram account has this phone number.",
    errors.PhoneCodeInvalidError: "This is not the code that was sent.",
    errors.PhoneCodeEmptyError: "The code is empty.",
    errors.PasswordEmptyError: "The password is empty.",
    errors.PasswordHashInvalidError: "This is not the account's password.",
    errors.SrpIdInvalidError: "Telegram could not check the password: type it once more.",
    UnicodeDecodeError: _UNREADABLE,
    UnicodeEncodeError: _UNREADABLE,  # where input keeps what it cannot decode
}


class Prompts(Protocol):
    """Who answers the questions of a sign-in."""

    async def phone(self) -> str: ...

    async def code(self) -> str: ...

    async def password(self) -> str: ...

    def tell(self, sentence: str) -> None: ...


class SignIn(NamedTuple):
    """The account, and whether its session had been good already."""

    account: Account
    was_good: bool


async def sign_in(access: TelegramAccess, prompts: Prompts) -> SignIn:
    """Sign the account in, unless it is. Raises SessionError with what to do."""
    lock = SessionLock(access.session_path, "telegram_login")
    lock.acquire()
    try:
        client = await _connect(access)
        try:
            return await _sign_in(client, prompts)
        finally:
            await client.close()
    except (OSError, TimeoutError, errors.RPCError) as error:
        raise SessionError(str(translate(error))) from error
    finally:
        lock.release()


async def sign_out(access: TelegramAccess) -> bool:
    """Have Telegram end the session, and keep nothing of it; False when nobody was signed in. Raises SessionError."""
    lock = SessionLock(access.session_path, "telegram_logout")
    lock.acquire()
    try:
        if not has_key(access.session_path):
            return False
        was_in = await _end_session(access)
    except (OSError, TimeoutError, errors.RPCError) as error:
        raise SessionError(f"{translate(error)} The session is as it was: try again.") from error
    else:
        forget_key(access)
        return was_in
    finally:
        lock.release()


async def _end_session(access: TelegramAccess) -> bool:
    client = build_client(access, hears=False)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await client.connect()
            await client.ask(fn.auth.LogOutRequest())
    except SESSION_LOSS:
        return False  # Telegram had ended it already
    finally:
        await client.close()
    return True


async def _connect(access: TelegramAccess) -> AccountClient:
    client = build_client(access, hears=False)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await client.connect()
    except _DEAD_KEYS:
        # The key is worth nothing any more; the session file stays, a new key takes its place.
        await client.close()
        forget_key(access)
        client = build_client(access, hears=False)
        async with asyncio.timeout(CONNECT_SECONDS):
            await client.connect()
    return client


async def _sign_in(client: AccountClient, prompts: Prompts) -> SignIn:
    me: Any = await client.get_me()
    was_good = me is not None
    if me is None:
        me = await _identify(client, prompts)
    await client.remember_self(me)
    return SignIn(to_account(me), was_good)


async def _identify(client: AccountClient, prompts: Prompts) -> Any:
    async def send_code() -> Any:
        phone = await prompts.phone()
        _given(utils.parse_phone(phone), errors.PhoneNumberInvalidError)
        try:
            return phone, await client.send_code_request(phone)
        except _MIGRATIONS:
            # Telethon has moved to the account's data centre; there it is asked again.
            return phone, await client.send_code_request(phone)

    phone, sent = await _insist(send_code, prompts)

    async def enter_code() -> Any:
        code = _given(await prompts.code(), errors.PhoneCodeEmptyError)
        return await client.sign_in(phone, code, phone_code_hash=sent.phone_code_hash)

    async def enter_password() -> Any:
        password = _given(await prompts.password(), errors.PasswordEmptyError)
        return await client.sign_in(password=password)

    try:
        return await _insist(enter_code, prompts)
    except errors.SessionPasswordNeededError:
        return await _insist(enter_password, prompts)


def _given(answer: str | None, missing: Callable[[Any], errors.RPCError]) -> str:
    """The answer, unless it is none: Telethon would take that for another call, or break down over it."""
    if not answer:
        raise missing(None)
    return answer


async def _insist(step: Callable[[], Awaitable[Any]], prompts: Prompts) -> Any:
    """Take a step of which the answer may be mistyped."""
    for _ in range(ATTEMPTS):
        try:
            return await step()
        except tuple(_MISTAKES) as mistake:
            prompts.tell(_MISTAKES[type(mistake)])
    raise SessionError("The account was not signed in: start again.")
