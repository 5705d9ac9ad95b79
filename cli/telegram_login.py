"""Sign the Telegram account in at a terminal: phone, code, and password where the account has one."""

from __future__ import annotations

import asyncio
import sys
from getpass import getpass
from pathlib import Path

from core.errors import ConfigurationError, ValorError
from core.settings import load_settings

PROJECT = Path(__file__).resolve().parent.parent
NO_API = "Set TELEGRAM_API_ID and TELEGRAM_API_HASH in .env first: https://my.telegram.org gives them."


class Terminal:
    """Asks at the terminal, in a thread, so that the connection stays alive meanwhile."""

    async def phone(self) -> str:
        return await asyncio.to_thread(_ask, "Phone number, with + and country code: ")

    async def code(self) -> str:
        return await asyncio.to_thread(_ask, "The code that Telegram has sent: ")

    async def password(self) -> str:
        return await asyncio.to_thread(getpass, "The account's password: ")

    def tell(self, sentence: str) -> None:
        print(sentence)


def _ask(question: str) -> str:
    return input(question).strip()


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
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
