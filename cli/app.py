"""The `valor` command: questions to the running server, answered at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.client import Client
from core.errors import ConfigurationError, ValorError
from core.settings import load_settings

PROJECT = Path(__file__).resolve().parent.parent

app = typer.Typer(help="Valor on the command line.", no_args_is_help=True, pretty_exceptions_enable=False)
promises = typer.Typer(help="Long jobs: list, show, cancel.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(min=1)]


def main() -> None:
    """Run the command line; what goes wrong is one sentence on standard error."""
    app.add_typer(promises, name="promises")
    try:
        app()
    except ConfigurationError as error:
        sys.exit("\n".join(error.problems))
    except ValorError as error:
        sys.exit(str(error))


def server() -> Client:
    return Client.of(load_settings(PROJECT))


@app.command(context_settings={"ignore_unknown_options": True})  # -100… is a chat
def why(chat: str, message: int) -> None:
    """Say why a stored message was or was not answered. CHAT is the chat's id (a group's begins with -)."""
    for reason in server().get(f"/api/why/{quote(chat, safe='/')}/{message}"):
        verdict = "answered" if reason["answered"] else "not answered"
        print(f"{reason['front']} {reason['sent_at']} {reason['sender']}: {verdict}: {reason['reason']}")


@app.command()
def doctor() -> None:
    """Check the installation: each check, its result, the command that mends it."""
    from cli.doctor import check_all

    raise typer.Exit(check_all(load_settings(PROJECT)))


@promises.command("list")
def list_promises(limit: Annotated[int, typer.Option(min=1, max=500)] = 20) -> None:
    """List promises, open ones first."""
    found = server().get(f"/api/promises?limit={limit}")
    for promise in found:
        print(f"#{promise['id']:<5} {promise['status']:11} {promise['task_description'].splitlines()[0][:80]}")
    if not found:
        print("No promises yet.")


@promises.command("show")
def show_promise(number: Number) -> None:
    """Show one promise."""
    tell(server().get(f"/api/promises/{number}"))


@promises.command("cancel")
def cancel_promise(number: Number) -> None:
    """Cancel one promise; a running one ends within a second."""
    tell(server().post(f"/api/promises/{number}/cancel"))


def tell(promise: dict[str, Any]) -> None:
    for name, value in promise.items():
        if value is not None:
            print(f"{name:17} {value}")
