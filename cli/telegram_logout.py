"""Sign the Telegram account out: Telegram ends the session, and its file keeps no key."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from core.errors import ConfigurationError, ValorError
from core.settings import load_settings

PROJECT = Path(__file__).resolve().parent.parent
NO_API = "TELEGRAM_API_ID and TELEGRAM_API_HASH are not set in .env: no account is signed in."


async def logout(project: Path) -> str:
    """Sign out with the settings of `project`; the sentence that says what was done. Raises ValorError."""
    from integrations.telegram.login import sign_out
    from integrations.telegram.session import TelegramAccess

    access = TelegramAccess.of(load_settings(project))
    if access is None:
        raise ConfigurationError([NO_API])
    was_in = await sign_out(access)
    return "Signed out: the session is ended." if was_in else "The account was not signed in."


def main() -> int:
    """The exit code: 0 when nobody is signed in any more."""
    try:
        print(asyncio.run(logout(PROJECT)))
    except ValorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
