"""What it takes to reach Telegram as a bot."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from core.edges import Edge, no_edge
from core.errors import SessionError
from core.settings import Settings

API = "https://api.telegram.org"
TOKEN = re.compile(r"(\d+):[\w-]+")


@dataclass(frozen=True, slots=True)
class BotAccess:
    """`api` is a Bot API server other than Telegram's own. With a `webhook` address updates are pushed there, with
    `secret` in their header; without one they are fetched."""

    token: str = field(repr=False)
    api: str = API
    webhook: str | None = None
    secret: str = field(default="", repr=False)
    edge: Edge = field(default=no_edge, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> BotAccess | None:
        """The access that the settings describe, None without a token."""
        if settings.telegram_bot_token is None:
            return None
        token = settings.telegram_bot_token.get_secret_value()
        return cls(token, settings.telegram_bot_api_url or API, edge=settings.edge)

    @property
    def number(self) -> int:
        """The bot's id, with which its token begins. Raises SessionError for what is no token."""
        found = TOKEN.fullmatch(self.token)
        if found is None:
            raise SessionError("TELEGRAM_BOT_TOKEN is no token: copy it from @BotFather as it is, digits and all.")
        return int(found[1])
