"""What Telegram has asked a bot to wait for, kept in its budget: for one chat, for all of them, or for every call."""

from __future__ import annotations

from typing import NamedTuple

from integrations.telegram.budget import Budget

# What chats can do without. What is refused to it holds back nothing else.
DECORATION = frozenset({"sendChatAction", "setMessageReaction"})
EVERY_CALL = "every call"
EVERY_CHAT = "every chat"


class Calls(NamedTuple):
    """The calls about one chat (its number), or about every chat."""

    chat: str
    decorate: bool


class BotPatience:
    """`check` before each call and `refused` after a 429, by the name of the method and the chat that it is about."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def check(self, method: str, chat: str | None) -> None:
        """Raise FloodWait, without asking Telegram, while this call is to wait."""
        if chat is None:
            self._budget.check(EVERY_CALL)
            return
        kinds = {False, method in DECORATION}
        self._budget.check(EVERY_CALL, *(Calls(place, kind) for place in (EVERY_CHAT, chat) for kind in kinds))

    def refused(self, method: str, chat: str | None, seconds: float) -> None:
        """Telegram does not say what its refusal is for: what is refused in two chats at once, is so in all of them."""
        if chat is None:
            self._budget.refused(EVERY_CALL, seconds)
            return
        calls = Calls(chat, method in DECORATION)
        others = [key for key in self._budget.waiting() if isinstance(key, Calls) and key != calls]
        self._budget.refused(calls, seconds)
        if any(key.decorate == calls.decorate for key in others):
            self._budget.refused(calls._replace(chat=EVERY_CHAT), seconds)
