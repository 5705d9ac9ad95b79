"""The `valor` command. What people write most is read without typer, whose import takes as long as the answer."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, cast

from cli.asking import carry_out
from cli.requests import AS_JSON, read_quickly
from core.errors import ConfigurationError, ValorError
from core.well_formed import is_well_formed

INTERRUPTED = 130
SENSELESS = 2  # a command line that makes no sense, as typer has it
NOT_TEXT = "The command line holds bytes that are no UTF-8 text: {}. Write them as UTF-8.\n"


def main() -> None:
    """Run the command line: exit code 0, 1 with one sentence on standard error, 2 for what typer cannot read."""
    # An encoding that lacks a letter is no reason to say nothing.
    cast("io.TextIOWrapper[Any]", sys.stdout).reconfigure(errors="replace")
    try:
        act(sys.argv[1:])
        sys.stdout.flush()
    except ConfigurationError as error:
        sys.exit("\n".join(error.problems))
    except ValorError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read has read enough. Nothing may be flushed into the closed pipe at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def act(arguments: list[str]) -> None:
    """Raises ValorError; SystemExit for a command line that makes no sense."""
    wrong = [ascii(word) for word in arguments if not is_well_formed(word)]
    if wrong:
        sys.stderr.write(NOT_TEXT.format(", ".join(wrong)))
        sys.exit(SENSELESS)
    request = read_quickly(arguments)
    if request is not None:
        carry_out(request, as_json=AS_JSON in arguments)
        return
    from cli.commands import build

    build()()
