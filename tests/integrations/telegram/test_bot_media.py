"""What the Bot API's messages carry becomes attachments."""

from __future__ import annotations

from typing import Any

import pytest
import telegram

from core.attachment import Attachment, Kind
from integrations.telegram.bot_media import album_of, attachments_of

FILE = {"file_id": "f", "file_unique_id": "u", "file_size": 2_000}
SIZE = {**FILE, "width": 90, "height": 60}
LARGE = {**SIZE, "file_id": "large", "width": 900, "file_size": 9_000_000}
THUMB = {**SIZE, "file_id": "thumb"}
PLACE = {"latitude": 52.52, "longitude": 13.405}
POLL: dict[str, Any] = {
    "id": "1",
    "question": "Tea?",
    "options": [{"persistent_id": word, "text": word, "voter_count": 0} for word in ("yes", "no")],
    "total_voter_count": 0,
    "type": "regular",
    **dict.fromkeys(("is_closed", "is_anonymous", "allows_multiple_answers", "allows_revoting", "members_only"), False),
}


def read(**content: Any) -> telegram.Message:
    body = {"message_id": 3, "date": 1_767_323_045, "chat": {"id": 5, "type": "private"}, **content}
    found = telegram.Message.de_json(body)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("content", "made"),
    [
        ({"photo": [SIZE, LARGE]}, Attachment(Kind.PHOTO, "image/jpeg", 2_000, reference="f")),
        ({"photo": [LARGE]}, Attachment(Kind.PHOTO, "image/jpeg", 9_000_000, reference="large")),
        (
            {"voice": {**FILE, "duration": 3, "mime_type": "audio/ogg"}},
            Attachment(Kind.VOICE, "audio/ogg", 2_000, seconds=3, reference="f"),
        ),
        (
            {"audio": {**FILE, "duration": 3, "performer": "Bach", "title": "Air"}},
            Attachment(Kind.AUDIO, "", 2_000, "Bach - Air", 3, reference="f"),
        ),
        (
            {"document": {**FILE, "file_name": "../a.pdf", "mime_type": "application/pdf"}},
            Attachment(Kind.DOCUMENT, "application/pdf", 2_000, ".._a.pdf", reference="f"),
        ),
        (
            {"video": {**SIZE, "duration": 3, "thumbnail": THUMB, "file_name": "clip.mp4"}},
            Attachment(Kind.VIDEO, "", 2_000, "clip.mp4", 3, reference="thumb"),
        ),
        (
            {"animation": {**SIZE, "duration": 3}, "document": FILE},
            Attachment(Kind.VIDEO, "", 2_000, seconds=3, note="animation"),
        ),
        (
            {"video_note": {**FILE, "length": 1, "duration": 3}},
            Attachment(Kind.VIDEO, "", 2_000, seconds=3, note="video note"),
        ),
        (
            {"sticker": {**SIZE, "is_animated": False, "is_video": False, "type": "regular", "emoji": "🐘"}},
            Attachment(Kind.STICKER, note="🐘"),
        ),
        ({"poll": POLL}, Attachment(Kind.POLL, note="Tea? (yes / no)")),
        ({"contact": {"phone_number": "1", "first_name": "A"}}, Attachment(Kind.CONTACT, note="A, 1")),
        ({"location": PLACE}, Attachment(Kind.LOCATION, note="52.52000, 13.40500")),
        (
            {"location": PLACE, "venue": {"location": PLACE, "title": "Zoo", "address": "Way 1"}},
            Attachment(Kind.LOCATION, note="Zoo, Way 1, 52.52000, 13.40500"),
        ),
        ({"dice": {"emoji": "🎲", "value": 3}}, Attachment(Kind.OTHER, note="dice 🎲 3")),
        ({"story": {"id": 1, "chat": {"id": 5, "type": "private"}}}, Attachment(Kind.OTHER, note="story")),
    ],
)
def test_b11_each_kind_is_told(content: dict[str, Any], made: Attachment) -> None:
    assert attachments_of(read(**content)) == (made,)


def test_b11_a_text_carries_nothing() -> None:
    assert attachments_of(read(text="hi")) == ()


def test_b11_an_album_has_a_number() -> None:
    assert album_of(read(media_group_id="13")) == 13
    assert album_of(read(text="hi")) is None
