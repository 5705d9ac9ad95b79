"""What Telethon's messages carry, as attachments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telethon.tl import types as tl

from core.attachment import Attachment, Kind
from integrations.telegram.media import PHOTO_BYTES, attachments_of

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GEO = tl.GeoPoint(13.4, 52.5, 1)
EMPTY = tl.InputStickerSetEmpty()


def document(*attributes: Any, thumbs: Any = None) -> Any:
    made = tl.Document(9, 1, b"", WHEN, "x/y", 2_000, 2, list(attributes), thumbs=thumbs)
    return tl.MessageMediaDocument(document=made)


def photo(*sizes: Any) -> Any:
    return tl.MessageMediaPhoto(photo=tl.Photo(8, 1, b"", WHEN, list(sizes), 2))


def poll(question: str, *answers: str) -> Any:
    listed: list[Any] = [tl.PollAnswer(tl.TextWithEntities(text, []), bytes(1)) for text in answers]
    return tl.MessageMediaPoll(tl.Poll(1, tl.TextWithEntities(question, []), listed, 0), tl.PollResults())


def carried(media: Any) -> tuple[Attachment, ...]:
    return attachments_of(tl.Message(3, tl.PeerUser(5), WHEN, "", media=media))


@pytest.mark.parametrize(
    ("media", "label", "reference"),
    [
        (document(tl.DocumentAttributeAudio(3, voice=True)), "voice message, 0:03, 2 KB", "document/9/"),
        (
            document(tl.DocumentAttributeAudio(3, title="Song", performer="Ann")),
            "audio Ann - Song, 0:03, 2 KB",
            "document/9/",
        ),
        (document(tl.DocumentAttributeVideo(3.2, 1, 1, round_message=True)), "video, 0:03, 2 KB: video note", None),
        (document(tl.DocumentAttributeAnimated()), "video, 2 KB: animation", None),
        (
            document(tl.DocumentAttributeVideo(3.2, 1, 1), thumbs=[tl.PhotoSize("m", 3, 2, 50)]),
            "video, 0:03, 2 KB",
            "document/9/m",
        ),
        (document(tl.DocumentAttributeSticker("😀", EMPTY)), "sticker: 😀", None),
        (document(tl.DocumentAttributeFilename("a/b\u202e.pdf")), "document a_b.pdf, 2 KB", "document/9/"),
        (document(), "document, 2 KB", "document/9/"),
        (tl.MessageMediaDocument(), "document", None),
        (tl.MessageMediaPhoto(), "photo", None),
        (tl.MessageMediaGeo(GEO), "location: 52.50000, 13.40000", None),
        (tl.MessageMediaGeo(tl.GeoPointEmpty()), "location", None),
        (
            tl.MessageMediaVenue(GEO, "Bar", "Main St 1", "", "", ""),
            "location: Bar, Main St 1, 52.50000, 13.40000",
            None,
        ),
        (tl.MessageMediaContact("+49", "Ann", "B", "", 4), "contact: Ann B, +49", None),
        (poll("When?", "now", "later"), "poll: When? (now / later)", None),
        (tl.MessageMediaDice(3, "🎲"), "attachment: dice 🎲 3", None),
        (tl.MessageMediaUnsupported(), "attachment: unsupported", None),
    ],
)
def test_b11_each_kind_says_what_it_is_and_what_can_be_fetched(media: Any, label: str, reference: str | None) -> None:
    (made,) = carried(media)
    assert (made.label, made.reference) == (label, reference)


@pytest.mark.parametrize("media", [None, tl.MessageMediaEmpty(), tl.MessageMediaWebPage(tl.WebPageEmpty(1))])
def test_b11_what_carries_nothing_has_no_attachment(media: Any) -> None:
    assert carried(media) == ()


def test_b11_of_a_photo_the_largest_size_that_a_model_takes_is_fetched() -> None:
    small, large = tl.PhotoSize("m", 320, 200, 20_000), tl.PhotoSize("y", 1280, 800, 200_000)
    huge = tl.PhotoSizeProgressive("w", 9_000, 9_000, [10, PHOTO_BYTES + 1])
    stripped = tl.PhotoStrippedSize("i", b"12345")
    assert carried(photo(stripped, small, huge, large))[0].reference == "photo/8/y"
    assert carried(photo(stripped, huge))[0].reference == "photo/8/w"
    assert carried(photo(stripped)) == (Attachment(Kind.PHOTO),)
