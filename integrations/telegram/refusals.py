# pyright: basic
"""What Telegram's errors mean for whoever made the call."""

from __future__ import annotations

import re

from telethon import errors

from core.errors import (
    AlreadySent,
    Closed,
    FloodWait,
    SessionError,
    SlowMode,
    Undeliverable,
    Unreachable,
    ValorError,
)

SIGN_IN_AGAIN = "sign in again with scripts/telegram_login.sh"
UNSAID_PATIENCE = 30.0
SESSION_LOSS = (errors.UnauthorizedError, errors.AuthKeyDuplicatedError, errors.AuthKeyNotFound)
_UNKNOWN_OUTCOME = (errors.ServerError, errors.TimedOutError, errors.BadMessageError, errors.InvalidDCError)
_PATIENCE = (errors.FloodWaitError, errors.FloodPremiumWaitError)
# The whole chat is shut.
_CLOSED = {
    errors.ChatWriteForbiddenError: "The account may not write in this chat.",
    errors.ChatSendPlainForbiddenError: "The account may not write texts in this chat.",
    errors.ChatGuestSendForbiddenError: "The account must join this chat before it can write.",
    errors.ChatRestrictedError: "Telegram has restricted this chat.",
    errors.UserBannedInChannelError: "The account is banned from writing in this chat.",
    errors.ChannelPrivateError: "The account is no longer a member of this chat.",
    errors.ChannelInvalidError: "This chat does not exist for the account.",
    errors.ChatForbiddenError: "The account is no longer a member of this chat.",
    errors.UserIsBlockedError: "The person has blocked the account.",
    errors.YouBlockedUserError: "The account has blocked this person.",
    errors.InputUserDeactivatedError: "The person's account is deleted.",
    errors.PeerFloodError: "Telegram has limited the account for writing to too many people.",
}
_SENTENCES = {
    errors.PeerIdInvalidError: "The account does not know this chat.",
    errors.ChatSendMediaForbiddenError: "The account may not send files in this chat.",
    errors.ChatSendPhotosForbiddenError: "The account may not send pictures in this chat.",
    errors.MediaCaptionTooLongError: "The caption is longer than Telegram takes.",
    errors.MessageTooLongError: "The message is longer than Telegram takes.",
    errors.MessageEmptyError: "The message has no visible text.",
    errors.MessageIdInvalidError: "The message does not exist any more.",
    errors.MsgIdInvalidError: "The message does not exist any more.",
    errors.MessageEditTimeExpiredError: "The message is too old to be changed.",
    errors.TopicDeletedError: "This topic does not exist any more.",
    errors.ReactionInvalidError: "This reaction is not allowed in this chat.",
}
# Those that Telethon has no class for.
_NAMED = {"TOPIC_CLOSED": "This topic is closed: only its admins can write there."}
_LOSSES = {
    errors.AuthKeyDuplicatedError: "The Telegram session was used in two places at once, so Telegram has ended it: see "
    "to it that this machine alone has the session file, and",
    errors.SessionRevokedError: "The Telegram session was ended from another device:",
    errors.UserDeactivatedBanError: "Telegram has closed the account for breaking its rules: appeal to Telegram's "
    "support from its phone number, or take another account and",
    errors.UserDeactivatedError: "The Telegram account is deleted: take another account and",
}


def translate(error: BaseException) -> ValorError:
    """The error of ours that says the same as one of Telethon's, of the network or of time."""
    if isinstance(error, errors.RandomIdDuplicateError):
        return AlreadySent("Telegram has this message already.")
    if isinstance(error, SESSION_LOSS):
        return SessionError(f"{_LOSSES.get(type(error), 'The Telegram session is not signed in:')} {SIGN_IN_AGAIN}.")
    if isinstance(error, errors.SlowModeWaitError):
        return SlowMode(error.seconds)
    if isinstance(error, _PATIENCE):
        return FloodWait(error.seconds)
    if isinstance(error, errors.FloodError):
        return FloodWait(UNSAID_PATIENCE)
    if isinstance(error, errors.RPCError) and not isinstance(error, _UNKNOWN_OUTCOME):
        name = name_of(error)
        if type(error) in _CLOSED:
            return Closed(_CLOSED[type(error)])
        return Undeliverable(_SENTENCES.get(type(error)) or _NAMED.get(name) or f"Telegram refused it: {name}.")
    return Unreachable(f"Telegram did not answer: {str(error) or type(error).__name__}.")


def name_of(error: BaseException) -> str:
    """The name by which Telegram calls an error."""
    if type(error).__module__.endswith("rpcerrorlist"):
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).upper()
    return str(getattr(error, "message", "")) or type(error).__name__
