"""What is read without typer, and what is left to it."""

from __future__ import annotations

import pytest

from cli.requests import read_quickly


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("promises", "GET /api/promises?limit=20"),
        ("promises list --json", "GET /api/promises?limit=20"),
        ("promises list --limit 3", "GET /api/promises?limit=3"),
        ("promises show 7", "GET /api/promises/7"),
        ("promises cancel 7", "POST /api/promises/7/cancel"),
        ("promises retry 7", "POST /api/promises/7/retry"),
        ("deadletters", "GET /api/deadletters?limit=20"),
        ("deadletters list", "GET /api/deadletters?limit=20"),
        ("deadletters retry 3", "POST /api/deadletters/3/retry"),
        ("deadletters drop 3", "POST /api/deadletters/3/drop"),
        ("schedule --limit 500", "GET /api/schedule?limit=500"),
        ("why -1005/7 5", "GET /api/why/-1005/7/5"),
        ("run turn:3", "GET /api/runs/turn%3A3"),
        ("run ../x?", "GET /api/runs/..%2Fx%3F"),
    ],
)
def test_plain_words_are_read_at_once(words: str, asked: str) -> None:
    request = read_quickly(words.split())
    assert request is not None
    assert f"{request.method} {request.path}" == asked


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--help",
        "doctor",
        "promises --help",
        "promises show",
        "promises show 0",
        "promises show -7",
        "promises show 99999999999999999999",
        "promises show 7 8",
        "promises list --limit 0",
        "promises list --limit 501",
        "promises list --limit",
        "run --help",
        "run -5",
        "why -x 5",
        "why page x",
    ],
)
def test_everything_else_is_left_to_typer(words: str) -> None:
    assert read_quickly(words.split()) is None
