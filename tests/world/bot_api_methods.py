"""What a bot can ask for: each method of the Bot API that the product uses, over the same society."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.world.bot_api_files import Upload, told_file
from tests.world.bot_api_hub import Hub, Webhook
from tests.world.bot_api_render import JSON, MIGRATED, chat, entity_from, read_list, user
from tests.world.telegram import TelegramWorld
from tests.world.telegram.model import CHANNEL_OFFSET, Chat, ChatKind, Draft, Post, RefusalError

MENU_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Request:
    """One call by one bot."""

    world: TelegramWorld
    hub: Hub
    fields: dict[str, str]
    files: dict[str, Upload] = field(default_factory=dict[str, Upload])

    def number(self, name: str, default: int = 0) -> int:
        return int(self.fields.get(name, default))

    def chat(self) -> Chat:
        """The chat that is meant. Raises RefusalError where the bot may not write."""
        number, bot, society = self.number("chat_id"), self.hub.bot, self.world.society
        if number > 0:
            person = society.persons.get(number)
            if person is None:
                raise RefusalError("CHAT_NOT_FOUND")
            found = society.dm(bot, person)
            if not self.world.messages(found, person):
                raise RefusalError("NOT_STARTED", 403)
            return found
        kind = ChatKind.SUPERGROUP if number < -CHANNEL_OFFSET else ChatKind.GROUP
        bare = -number - CHANNEL_OFFSET if kind is ChatKind.SUPERGROUP else -number
        group = society.chats.get((kind, bare))
        if group is None:
            raise RefusalError("CHAT_NOT_FOUND")
        if group.moved_to is not None:
            raise RefusalError(f"{MIGRATED}{group.moved_to.peer_id(bot)}")
        return group

    def post(self, of: Chat, number: int, missing: str) -> Post:
        found = of.box_of(self.hub.bot).posts.get(number)
        if found is None or found.chat is not of:
            raise RefusalError(missing)
        return found


def get_me(request: Request) -> JSON:
    rights = {"can_join_groups": True, "can_read_all_group_messages": not request.hub.privacy}
    return {**user(request.hub.bot), **rights, "supports_inline_queries": False}


async def get_updates(request: Request) -> list[JSON]:
    allowed = request.fields.get("allowed_updates")
    if allowed is not None:
        request.hub.allowed = tuple(json.loads(allowed))
    return await request.hub.fetch(request.number("offset"), request.number("limit", 100), request.number("timeout"))


async def set_webhook(request: Request) -> bool:
    allowed = request.fields.get("allowed_updates")
    if allowed is not None:
        request.hub.allowed = tuple(json.loads(allowed))
    await request.hub.push_to(Webhook(request.fields.get("url", ""), request.fields.get("secret_token", "")))
    return True


async def delete_webhook(request: Request) -> bool:
    if request.fields.get("drop_pending_updates") == "true":
        request.hub.confirm(10**12)
    await request.hub.push_to(Webhook())
    return True


def get_webhook_info(request: Request) -> JSON:
    hub = request.hub
    info: JSON = {"url": hub.webhook.url, "pending_update_count": len(hub.updates), "has_custom_certificate": False}
    if hub.last_error:
        now = int(request.world.society.clock().timestamp())
        info |= {"last_error_message": hub.last_error, "last_error_date": now}
    return info


def send_message(request: Request) -> JSON:
    return _send(request, _draft(request, "text", "entities"))


def send_photo(request: Request) -> JSON:
    return _send_file(request, "photo")


def send_document(request: Request) -> JSON:
    return _send_file(request, "document")


def _send_file(request: Request, kind: str) -> JSON:
    number = next(request.world.society.numbers.files)
    carried = request.files[kind].media(number, kind)
    return _send(request, replace(_draft(request, "caption", "caption_entities"), media=carried))


def _draft(request: Request, text: str, entities: str) -> Draft:
    where = request.chat()
    replied = _replied(request, where)
    formatted = tuple(entity_from(one) for one in read_list(request.fields.get(entities)))
    topic = request.number("message_thread_id") or (replied.topic if replied else 0)
    return Draft(where, request.hub.bot, request.fields.get(text, ""), formatted, replied, topic=topic)


def _send(request: Request, draft: Draft) -> JSON:
    return _marked(request, request.world.society.send(draft, request.hub))


def get_file(request: Request) -> JSON:
    return told_file(request.world.society.files, request.fields["file_id"])


def _replied(request: Request, where: Chat) -> Post | None:
    given: JSON = json.loads(request.fields.get("reply_parameters", "{}"))
    if not given:
        return None
    try:
        return request.post(where, given["message_id"], "REPLY_NOT_FOUND")
    except RefusalError:
        if given.get("allow_sending_without_reply"):
            return None
        raise


def _marked(request: Request, post: Post) -> JSON:
    """The message as it stands with the buttons that were asked for; without any the former ones go."""
    markup: JSON = json.loads(request.fields.get("reply_markup", "null") or "null") or {}
    if markup.get("inline_keyboard"):
        request.hub.markups[post.number] = markup
    else:
        request.hub.markups.pop(post.number, None)
    return request.hub.renderer.message(post)


def edit_message_text(request: Request) -> JSON:
    where = request.chat()
    post = request.post(where, request.number("message_id"), "MESSAGE_ID_INVALID")
    entities = tuple(entity_from(one) for one in read_list(request.fields.get("entities")))
    before = request.hub.markups.get(post.number)
    try:
        request.world.society.edit(request.hub.act, post, request.fields.get("text", ""), entities)
    except RefusalError as error:
        made = _marked(request, post) if error.name == "MESSAGE_NOT_MODIFIED" else {}
        if not made or made.get("reply_markup") == before:
            raise
        return made
    return _marked(request, post)


def edit_message_reply_markup(request: Request) -> JSON:
    post = request.post(request.chat(), request.number("message_id"), "MESSAGE_ID_INVALID")
    before = request.hub.markups.get(post.number)
    made = _marked(request, post)
    if made.get("reply_markup") == before:
        raise RefusalError("MESSAGE_NOT_MODIFIED")
    request.world.ledger.wake()
    return made


def delete_messages(request: Request) -> bool:
    where = request.chat()
    numbers: list[int] = json.loads(request.fields["message_ids"])
    posts = [request.post(where, number, "message to delete not found") for number in numbers]
    request.world.society.delete(request.hub.act, where, posts)
    return True


def set_message_reaction(request: Request) -> bool:
    post = request.post(request.chat(), request.number("message_id"), "message to react not found")
    chosen = [one["emoji"] for one in read_list(request.fields.get("reaction"))]
    try:
        request.world.society.react(request.hub.act, post, chosen)
    except RefusalError as error:
        if error.name != "MESSAGE_NOT_MODIFIED":
            raise
    return True


def send_chat_action(request: Request) -> bool:
    topic = request.number("message_thread_id")
    request.world.society.type(request.hub.act, request.chat(), request.fields["action"], topic)
    return True


def set_my_commands(request: Request) -> bool:
    commands = read_list(request.fields["commands"])
    if len(commands) > MENU_LIMIT or not all(one["command"].isascii() and one["description"] for one in commands):
        raise RefusalError("BOT_COMMAND_INVALID")
    request.hub.commands = commands
    request.world.ledger.wake()
    return True


def answer_callback_query(request: Request) -> bool:
    query = request.fields["callback_query_id"]
    if query in request.hub.answered:
        raise RefusalError("query is too old and response timeout expired or query ID is invalid")
    request.hub.answered[query] = request.fields.get("text", "")
    request.world.ledger.wake()
    return True


def get_chat(request: Request) -> JSON:
    return {**chat(request.chat(), request.hub.bot), "accent_color_id": 0, "max_reaction_count": 11}


Answer = Callable[[Request], Any | Awaitable[Any]]
METHODS: dict[str, Answer] = {
    "getMe": get_me,
    "getUpdates": get_updates,
    "setWebhook": set_webhook,
    "deleteWebhook": delete_webhook,
    "getWebhookInfo": get_webhook_info,
    "sendMessage": send_message,
    "sendPhoto": send_photo,
    "sendDocument": send_document,
    "getFile": get_file,
    "editMessageText": edit_message_text,
    "editMessageReplyMarkup": edit_message_reply_markup,
    "deleteMessages": delete_messages,
    "setMessageReaction": set_message_reaction,
    "sendChatAction": send_chat_action,
    "setMyCommands": set_my_commands,
    "answerCallbackQuery": answer_callback_query,
    "getChat": get_chat,
}
