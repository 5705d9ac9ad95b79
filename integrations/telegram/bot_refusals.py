"""What the Bot API's errors mean for whoever made the call."""

from __future__ import annotations

import httpx
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, TelegramError

from core.errors import Closed, FloodWait, SessionError, Undeliverable, Unreachable, Unsent, ValorError

ADVICE = "take the present one from @BotFather, put it into .env as TELEGRAM_BOT_TOKEN, and restart"
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
CLOSED_CLIENT = "HTTPXRequest is not initialized"  # python-telegram-bot's own words after its end
# The words of the Bot API, of which each refusal holds some. The whole chat is shut:
CLOSED = {
    "blocked by the user": "The person has blocked the bot: only they can unblock it, in their chat with it.",
    "can't initiate conversation": "The bot may not write first: the person must write to it once.",
    "user is deactivated": "The person's account is deleted: take them out of the configuration.",
    "send messages to bots": "Bots cannot write to bots: take this one out of the configuration.",
    "was kicked": "The bot was removed from this chat: an admin there must add it again.",
    "is not a member": "The bot is no longer a member of this chat: an admin there must add it again.",
    "channel_private": "The bot is no longer a member of this chat: an admin there must add it again.",
    "chat not found": "The bot does not know this chat: somebody there must add the bot, or write to it.",
    "chat was deleted": "The group is deleted: take it out of the configuration.",
    "chat was deactivated": "The group is deleted: take it out of the configuration.",
    "rights to send text messages": "The bot may not write in this chat: an admin there must allow it to.",
    "no rights to send a message": "The bot may not write in this chat: an admin there must allow it to.",
    "chat_write_forbidden": "The bot may not write in this chat: an admin there must allow it to.",
    "chat_send_plain_forbidden": "The bot may not write texts in this chat: an admin there must allow it to.",
    "user_banned_in_channel": "The bot is banned from writing in this chat: an admin there must lift that.",
    "chat_restricted": "Telegram has restricted this chat: wait, or take it out of the configuration.",
}
# This part, or this change:
SENTENCES = {
    "not enough rights": "The bot may not do this in this chat: an admin there must give it the right.",
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
            return _refusal(error.message)
        case _:
            said = f"The Bot API did not answer: {str(error) or type(error).__name__}."
            has_left = not isinstance(error.__cause__, NEVER_LEFT) and CLOSED_CLIENT not in str(error)
            return Unreachable(said) if has_left else Unsent(said)


def _refusal(words: str) -> Undeliverable:
    if (shut := _sentence(CLOSED, words)) is not None:
        return Closed(shut)
    return Undeliverable(_sentence(SENTENCES, words) or f"Telegram refused it: {words}.")


def _sentence(known: dict[str, str], words: str) -> str | None:
    return next((sentence for part, sentence in known.items() if part in words.lower()), None)
