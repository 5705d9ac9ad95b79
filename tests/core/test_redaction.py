from __future__ import annotations

from pathlib import Path

import pytest

from core.redaction import MASK, Redactor

# Put together at run time, so that no scanner takes the tests for a leak.
BOT_TOKEN = "123456789" + ":" + "AA" + "h" * 33
SHAPED = [
    "sk-" + "ant-api03-" + "x" * 20,
    "pplx-" + "y" * 24,
    "ntn_" + "z" * 20,
    "ghp_" + "a1" * 12,
    "AKIA" + "ABCDEFGH12345678",
    BOT_TOKEN,
]


@pytest.mark.parametrize("secret", SHAPED)
def test_s7_what_looks_like_a_secret_is_masked(secret: str) -> None:
    assert Redactor().text(f"call with {secret}, twice") == f"call with {MASK}, twice"


def test_s7_known_secrets_are_masked_also_in_addresses() -> None:
    redactor = Redactor({"p@ss word/1", "short"})
    assert redactor.text("is p@ss word/1") == f"is {MASK}"
    assert redactor.text("?key=p%40ss%20word%2F1") == f"?key={MASK}"
    assert redactor.text("a short word") == "a short word"


def test_s7_longer_secrets_go_before_their_beginnings() -> None:
    assert Redactor({"abcdef", "abcdefghij"}).text("abcdefghij") == MASK


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"POST /bot{BOT_TOKEN}/getMe", f"POST /bot{MASK}/getMe"),
        ("Authorization: Bearer abc.def-123", f"Authorization: Bearer {MASK}"),
        ("redis://user:hunter22@host/0", f"redis://{MASK}@host/0"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----.", f"{MASK}."),
        ("at 12:30:45 the task-list of disk-usage", "at 12:30:45 the task-list of disk-usage"),
    ],
)
def test_s7_secrets_inside_text(text: str, masked: str) -> None:
    assert Redactor().text(text) == masked


def test_s7_data_is_masked_by_name_and_all_the_way_down() -> None:
    data = {
        "x-api-key": "abc",
        "nested": [{"password": 5, "path": Path("/tmp/known-secret")}, ("known-secret", 1.5)],
        "token": None,
        "input_tokens": 7,
        "raw": b"known-secret",
    }
    assert Redactor({"known-secret"}).value(data) == {
        "x-api-key": MASK,
        "nested": [{"password": MASK, "path": f"PosixPath('/tmp/{MASK}')"}, [MASK, 1.5]],
        "token": None,
        "input_tokens": 7,
        "raw": f"b'{MASK}'",
    }
