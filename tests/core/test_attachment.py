from __future__ import annotations

import pytest

from core.attachment import Attachment, Kind, tell_length, tell_size


@pytest.mark.parametrize(
    ("attachment", "label"),
    [
        (Attachment(Kind.PHOTO), "photo"),
        (Attachment(Kind.VOICE, seconds=12), "voice message, 0:12"),
        (Attachment(Kind.DOCUMENT, size=120_000, name="a.pdf"), "document a.pdf, 120 KB"),
        (Attachment(Kind.VIDEO, size=12_300_000, seconds=34), "video, 0:34, 12 MB"),
        (Attachment(Kind.STICKER, note="👍"), "sticker: 👍"),
        (Attachment(Kind.POLL, note="When? (now / later)"), "poll: When? (now / later)"),
    ],
)
def test_b11_an_attachment_says_what_it_is(attachment: Attachment, label: str) -> None:
    assert attachment.label == label


def test_b11_sizes_and_lengths_are_told_as_people_read_them() -> None:
    told = [tell_size(size) for size in (1, 999, 1_000, 999_499, 1_500_000, 20_000_000, 2_000_000_000)]
    assert told == ["1 bytes", "999 bytes", "1 KB", "999 KB", "1.5 MB", "20 MB", "2.0 GB"]
    assert [tell_length(seconds) for seconds in (7, 62, 3_723)] == ["0:07", "1:02", "1:02:03"]
