"""The grammar that typer reads makes the same requests as the quick reading."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cli import commands
from cli.requests import QUICK, Request, read_quickly

WORDS = {"_number": "7", "_name": "turn:3", "_chat": "-1005"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """What would be asked of the server, and whether for a machine."""
    requests: list[tuple[str, str, bool]] = []

    def carry_out(request: Request, *, as_json: bool) -> None:
        requests.append((request.method, request.path, as_json))

    monkeypatch.setattr(commands, "carry_out", carry_out)
    return requests


@pytest.mark.parametrize("words", QUICK)
@pytest.mark.parametrize("as_json", [False, True])
def test_both_readings_of_a_command_are_one(
    asked: list[tuple[str, str, bool]], words: tuple[str, ...], as_json: bool
) -> None:
    command = QUICK[words]
    given = [*words, *(WORDS[read.__name__] for read in command.read)]
    given += ["--limit", "3"] if command.has_limit else []
    given += ["--json"] if as_json else []
    read = CliRunner().invoke(commands.build(), given)
    quick = read_quickly(given)
    assert quick is not None
    assert (read.exit_code, read.output) == (0, "")
    assert asked == [(quick.method, quick.path, as_json)]
