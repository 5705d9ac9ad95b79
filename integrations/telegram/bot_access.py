"""What it takes to reach Telegram as a bot."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from core.edges import Edge, no_edge
from core.errors import SessionError
from core.secret_token import derive_secret
from core.settings import Settings

API = "https://api.telegram.org"
WEBHOOK_PATH = "/telegram/webhook"
TOKEN = re.compile(r"(\d+):[\w-]+")


def webhook_secret(settings: Settings) -> str | None:
    """What Telegram shows with every update that it pushes; None where it is to push none."""
    return derive_secret(settings.token_path, "telegram webhook") if settings.telegram_webhook_url else None


@dataclass(frozen=True, slots=True)
class BotAccess:
    """`api` may be a Bot API server other than Telegram's own. With a `webhook` address updates are pushed there, with
    `secret` in their header; without one they are fetched. `menu` are the commands that Telegram shows, explained."""

    token: str = field(repr=False)
    api: str = API
    webhook: str | None = None
    secret: str = field(default="", repr=False)
    edge: Edge = field(default=no_edge, repr=False)
    menu: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, settings: Settings, menu: tuple[tuple[str, str], ...] = ()) -> BotAccess | None:
        """The access that the settings describe, None without a token."""
        if settings.telegram_bot_token is None:
            return None
        pushed = settings.telegram_webhook_url
        return cls(
            token=settings.telegram_bot_token.get_secret_value(),
            api=settings.telegram_bot_api_url or API,
            webhook=pushed and f"{pushed}{WEBHOOK_PATH}",
            secret=webhook_secret(settings) or "",
            edge=settings.edge,
            menu=menu,
        )

    @property
    def number(self) -> int:
        """The bot's id, with which its token begins. Raises SessionError for what is no token."""
        found = TOKEN.fullmatch(self.token)
        if found is None:
            raise SessionError("TELEGRAM_BOT_TOKEN is no token: copy it from @BotFather as it is, digits and all.")
        return int(found[1])
