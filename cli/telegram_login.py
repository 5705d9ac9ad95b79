"""Sign the Telegram account in at a terminal: phone, code, and password where the account has one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from getpass import getpass
from pathlib import Path

from core.errors import ConfigurationError, ValorError
from core.settings import load_settings

PROJECT = Path(__file__).resolve().parent.parent
NO_API = "Set TELEGRAM_API_ID and TELEGRAM_API_HASH in .env first: https://my.telegram.org gives them."
INTERRUPTED = 130


class Terminal:
    """Asks at the terminal, in a thread, so that the connection stays alive meanwhile.

    The thread is not the event loop's: that one would wait for it after Ctrl-C, and nothing but Enter ends a question.
    """

    def __init__(self) -> None:
        self._asking = ThreadPoolExecutor(1)

    async def phone(self) -> str:
        return await self._ask(_input, "Phone number, with + and country code: ")

    async def code(self) -> str:
        return await self._ask(_input, "The code that Telegram has sent: ")

    async def password(self) -> str:
        with _echo_given_back():
            return await self._ask(getpass, "The account's password: ")

    def tell(self, sentence: str) -> None:
        print(sentence)

    async def _ask(self, how: Callable[[str], str], question: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._asking, how, question)


def _input(question: str) -> str:
    return input(question).strip()


@contextlib.contextmanager
def _echo_given_back() -> Generator[None]:
    """Whoever is interrupted at the password can see again what they type: getpass, in its thread, is not told."""
    try:
        before = termios.tcgetattr(sys.stdin)
    except (termios.error, OSError):  # no terminal
        before = None
    try:
        yield
    finally:
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


async def login(project: Path) -> str:
    """Sign in with the settings of `project`; the sentence that says who is signed in. Raises ValorError, EOFError."""
    # Here, since Telethon takes a second to import and wrong settings are told without it.
    from integrations.telegram.login import sign_in
    from integrations.telegram.session import TelegramAccess

    access = TelegramAccess.of(load_settings(project))
    if access is None:
        raise ConfigurationError([NO_API])
    account, was_good = await sign_in(access, Terminal())
    name = f"{account.name} (@{account.usernames[0]})" if account.usernames else account.name
    return f"The session is good already: {name}." if was_good else f"Signed in as {name}."


def main() -> int:
    """The exit code: 0 when the account is signed in."""
    try:
        print(asyncio.run(login(PROJECT)))
    except EOFError:
        print("The sign-in needs a terminal: run scripts/telegram_login.sh in one.", file=sys.stderr)
    except ValorError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        sys.stdout.flush()
        print("\nInterrupted: start again to sign in.", file=sys.stderr, flush=True)
        os._exit(INTERRUPTED)  # at once: the thread that asks would be waited for
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
