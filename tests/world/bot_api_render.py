"""The played Telegram as the Bot API tells it: JSON objects as one bot sees them, and refusals in its words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tests.world.bot_api_files import media
from tests.world.telegram.model import Chat, ChatKind, Entity, Origin, Person, Post, RefusalError

JSON = dict[str, Any]
CHAT_TYPES = {ChatKind.GROUP: "group", ChatKind.SUPERGROUP: "supergroup", ChatKind.CHANNEL: "channel"}
# Who is named as the sender where a chat is: the service for a copied post, somebody that is no bot's business else.
SERVICE = {"id": 777_000, "is_bot": False, "first_name": "Telegram"}
ANONYMOUS = {"id": 1_087_968_824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
MASKED = {"id": 136_817_688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
# The server's names of refusals in the Bot API's words.
WORDS = {
    "MESSAGE_NOT_MODIFIED": (400, NOT_MODIFIED),
    "MESSAGE_EMPTY": (400, "message text is empty"),
    "MESSAGE_TOO_LONG": (400, "message is too long"),
    "MESSAGE_ID_INVALID": (400, "message to edit not found"),
    "MESSAGE_AUTHOR_REQUIRED": (400, "message can't be edited"),
    "CHAT_WRITE_FORBIDDEN": (403, "bot was kicked from the group chat"),
    "CHAT_NOT_FOUND": (400, "chat not found"),
    "REPLY_NOT_FOUND": (400, "message to be replied not found"),
    "NOT_STARTED": (403, "bot can't initiate conversation with a user"),
    "UNAUTHORIZED": (401, ""),
    "TOO_LARGE": (413, ""),
}
MIGRATED = "MIGRATED_TO_"
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
}


def compact(**fields: Any) -> JSON:
    """Without what there is not: the Bot API leaves such fields out."""
    return {name: value for name, value in fields.items() if value is not None and value != []}


def user(person: Person) -> JSON:
    return compact(
        id=person.id,
        is_bot=person.is_bot,
        first_name=person.first_name,
        last_name=person.last_name,
        username=person.username,
    )


def chat(of: Chat, viewer: Person) -> JSON:
    number = of.peer_id(viewer)
    if of.kind in CHAT_TYPES:
        return compact(id=number, type=CHAT_TYPES[of.kind], title=of.title, is_forum=of.forum or None)
    other = of.other(viewer)
    return compact(id=number, type="private", first_name=other.first_name, username=other.username)


def entity(item: Entity, people: dict[int, Person]) -> JSON:
    made = compact(type=item.kind, offset=item.offset, length=item.length, url=item.url or None)
    if item.language:
        made["language"] = item.language
    if item.user_id in people:
        made["user"] = user(people[item.user_id])
    return made


def entity_from(given: JSON) -> Entity:
    return Entity(
        given["type"],
        given["offset"],
        given["length"],
        given.get("url", ""),
        given.get("language", ""),
        given.get("user", {}).get("id", 0),
    )


class Renderer:
    """Messages in one bot's eyes. `markups` are the buttons under posts, by world-wide number."""

    def __init__(self, bot: Person, people: dict[int, Person], markups: dict[int, JSON]) -> None:
        self.bot = bot
        self._people = people
        self._markups = markups

    def message(self, post: Post, *, deep: bool = True) -> JSON:
        answered = post.reply_to or self._root(post)
        is_there = answered is not None and not answered.deleted and answered.id_for(self.bot) > 0
        replied = answered if deep and is_there else None
        return compact(
            message_id=post.id_for(self.bot),
            date=int(post.at.timestamp()),
            chat=chat(post.chat, self.bot),
            message_thread_id=post.topic or None,
            is_topic_message=True if post.topic else None,
            **self._author(post),
            forward_origin=self._origin(post.origin) if post.origin else None,
            quote={"text": post.quote, "position": 0, "is_manual": True} if replied and post.quote else None,
            edit_date=int(post.edited_at.timestamp()) if post.edited_at else None,
            reply_to_message=self.message(replied, deep=False) if replied else None,
            reply_markup=self._markups.get(post.number),
            media_group_id=str(post.album) if post.album else None,
            **media(post.media),
            **(self._service(post) if post.action else self._words(post)),
        )

    def _author(self, post: Post) -> JSON:
        """The sender, or as what they write, with whom the service names instead of them."""
        if post.guise is None:
            return {"from": user(post.sender)}
        written_as = {"sender_chat": chat(post.guise, self.bot)}
        if post.origin and post.origin.is_copied:
            return {"from": SERVICE, **written_as, "is_automatic_forward": True}
        return {"from": ANONYMOUS if post.guise is post.chat else MASKED, **written_as}

    def _origin(self, origin: Origin) -> JSON:
        date = int(origin.at.timestamp())
        if isinstance(origin.author, Person):
            return {"type": "user", "date": date, "sender_user": user(origin.author)}
        if origin.author is None:
            return {"type": "hidden_user", "date": date, "sender_user_name": origin.name}
        named = chat(origin.author, self.bot)
        return {"type": "channel", "date": date, "chat": named, "message_id": origin.number}

    def _root(self, post: Post) -> Post | None:
        """What a message in a topic answers when it answers nothing."""
        return post.chat.box.posts.get(post.topic) if post.chat.box and post.topic else None

    def _words(self, post: Post) -> JSON:
        entities = [entity(item, self._people) for item in post.entities]
        if post.media:
            return compact(caption=post.text or None, caption_entities=entities)
        return compact(text=post.text, entities=entities)

    def _service(self, post: Post) -> JSON:
        if post.action == "joined":
            return {"new_chat_members": [user(post.sender)]}
        if post.action == "topic":
            return {"forum_topic_created": {"name": post.text, "icon_color": 7322096}}
        if post.action == "moved" and post.chat.moved_to:
            return {"migrate_to_chat_id": post.chat.moved_to.peer_id(self.bot)}
        if post.action == "founded" and post.chat.moved_from:
            return {"migrate_from_chat_id": post.chat.moved_from.peer_id(self.bot)}
        if post.chat.kind is ChatKind.GROUP:
            return {"group_chat_created": True}
        return {"supergroup_chat_created": True}

    def membership(self, group: Chat, mover: Person, at: datetime, *, is_part: bool = True) -> JSON:
        """That the bot is part of a group now, or none any more, and by whom."""
        before, after = ("left", "member") if is_part else ("member", "left")
        return {
            "chat": chat(group, self.bot),
            "from": user(group.creator or mover),
            "date": int(at.timestamp()),
            "old_chat_member": {"user": user(self.bot), "status": before},
            "new_chat_member": {"user": user(self.bot), "status": after},
        }


def refusal(error: RefusalError) -> tuple[int, JSON]:
    """Status and body of an answer that says no."""
    if error.name.startswith("FLOOD_WAIT_"):
        seconds = int(error.name.rpartition("_")[2])
        said = f"Too Many Requests: retry after {seconds}"
        return 429, {"ok": False, "error_code": 429, "description": said, "parameters": {"retry_after": seconds}}
    if error.name.startswith(MIGRATED):
        number = int(error.name.removeprefix(MIGRATED))
        said = "Bad Request: group chat was upgraded to a supergroup chat"
        return 400, {"ok": False, "error_code": 400, "description": said, "parameters": {"migrate_to_chat_id": number}}
    code, words = WORDS.get(error.name, (error.code, error.name))
    title = TITLES.get(code, "Internal Server Error")
    said = f"{title}: {words}" if words else title
    return code, {"ok": False, "error_code": code, "description": said}


def read_list(text: str | None) -> list[JSON]:
    return json.loads(text) if text else []


def read_buttons(markup: JSON | None) -> Iterable[JSON]:
    rows: list[list[JSON]] = (markup or {}).get("inline_keyboard", [])
    return (button for row in rows for button in row)
