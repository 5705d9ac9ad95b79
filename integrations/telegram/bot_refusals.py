"""What the Bot API's errors mean for whoever made the call."""

from __future__ import annotations

import httpx
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, TelegramError

from core.errors import FloodWait, SessionError, Undeliverable, Unreachable, Unsent, ValorError

ADVICE = "take the present one from @BotFather, put it into .env as TELEGRAM_BOT_TOKEN, and restart"
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
# The words of the Bot API, of which each refusal holds some.
SENTENCES = {
    "blocked by the user": "The person has blocked the bot.",
    "can't initiate conversation": "The person must write to the bot first.",
    "user is deactivated": "The person's account is deleted.",
    "bot can't send messages to bots": "Bots cannot write to bots.",
    "was kicked": "The bot is no longer a member of this chat.",
    "is not a member": "The bot is no longer a member of this chat.",
    "chat not found": "The bot does not know this chat.",
    "not enough rights": "The bot may not do this in this chat: make it an administrator, or allow it to write.",
    "have no rights": "The bot may not write in this chat.",
    "chat_write_forbidden": "The bot may not write in this chat.",
    "message to edit not found": "The message does not exist any more.",
    "message to react not found": "The message does not exist any more.",
    "message can't be edited": "The message cannot be changed any more.",
    "message is too long": "The message is longer than Telegram takes.",
    "message text is empty": "The message has no visible text.",
    "message caption is too long": "The caption is longer than Telegram takes.",
    "file is too big": "The file is larger than the 20 MB that Telegram lets bots fetch.",
    "request entity too large": "The file is larger than the 50 MB that Telegram takes from bots.",
    "wrong file_id": "The file is not there any more.",
    "invalid file_id": "The file is not there any more.",
    "message thread not found": "The topic does not exist any more.",
    "topic_closed": "The topic is closed.",
    "reaction_invalid": "This reaction is not allowed in this chat.",
}


class Patience(TelegramError):
    """Telegram asks to wait; python-telegram-bot's own error warns of itself when it is made."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Retry after {seconds:g} s")
        self.seconds = seconds


class SecondPoller(SessionError):
    """Another program fetches the updates of this bot."""


def words_of(refusal: BaseException) -> str:
    """What the Bot API said itself."""
    return str(refusal.__cause__).lower()


def translate(error: BaseException) -> ValorError:
    """The error of ours that says the same."""
    match error:
        case Patience():
            return FloodWait(error.seconds)
        case InvalidToken():
            return SessionError(f"Telegram does not take the bot's token (wrong or revoked): {ADVICE}.")
        case Conflict():
            return SecondPoller(
                "Another program fetches this bot's updates, so that each gets only some of them (409 Conflict): "
                "stop it, or give this installation a bot of its own."
            )
        case ChatMigrated():
            return Undeliverable(f"The group has become the supergroup {error.new_chat_id}.")
        case BadRequest() | Forbidden():
            return Undeliverable(_sentence(error.message))
        case _:
            said = f"The Bot API did not answer: {str(error) or type(error).__name__}."
            return Unsent(said) if isinstance(error.__cause__, NEVER_LEFT) else Unreachable(said)


def _sentence(words: str) -> str:
    known = (sentence for part, sentence in SENTENCES.items() if part in words.lower())
    return next(known, f"Telegram refused it: {words}.")
