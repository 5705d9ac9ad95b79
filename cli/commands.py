"""The grammar of `valor`: every command with its help, read by typer."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import requests
from cli.asking import PROJECT, carry_out
from cli.requests import LARGEST, LIMIT, MOST

Number = Annotated[int, typer.Argument(min=1, max=LARGEST)]
Limit = Annotated[int, typer.Option(min=1, max=MOST, help="How many at most.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]

HELP = "Valor on the command line. Asks the running server; where none runs, the tables."


class Listing(TyperGroup):
    """Commands of which `list` need not be spelled: its options may follow the group's name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_list = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if is_list else args)


single = typer.Typer()
promises = typer.Typer(help="Long jobs.", cls=Listing)
letters = typer.Typer(help="Messages that did not arrive.", cls=Listing)


@promises.command("list")
def list_promises(limit: Limit = LIMIT, as_json: AsJson = False) -> None:
    """List promises, open ones first."""
    carry_out(requests.list_promises(limit), as_json=as_json)


@promises.command("show")
def show_promise(number: Number, as_json: AsJson = False) -> None:
    """Show all that is known of a promise, its whole result too."""
    carry_out(requests.show_promise(number), as_json=as_json)


@promises.command("cancel")
def cancel_promise(number: Number, as_json: AsJson = False) -> None:
    """Cancel a promise; a running one ends within a second."""
    carry_out(requests.cancel_promise(number), as_json=as_json)


@promises.command("retry")
def retry_promise(number: Number, as_json: AsJson = False) -> None:
    """Take up again what failed or was cancelled, from where it stopped."""
    carry_out(requests.retry_promise(number), as_json=as_json)


@letters.command("list")
def list_letters(limit: Limit = LIMIT, as_json: AsJson = False) -> None:
    """List messages that did not arrive, the oldest first."""
    carry_out(requests.list_letters(limit), as_json=as_json)


@letters.command("retry")
def retry_letter(number: Number, as_json: AsJson = False) -> None:
    """Send one again, unless a look shows that it has arrived."""
    carry_out(requests.retry_letter(number), as_json=as_json)


@letters.command("drop")
def drop_letter(number: Number, as_json: AsJson = False) -> None:
    """Give one up."""
    carry_out(requests.drop_letter(number), as_json=as_json)


@single.command()
def schedule(limit: Limit = LIMIT, as_json: AsJson = False) -> None:
    """Say what is to come: promises that wait for a moment, in its order."""
    carry_out(requests.list_schedule(limit), as_json=as_json)


@single.command(context_settings={"ignore_unknown_options": True})  # -100… is a chat
def why(chat: str, message: Annotated[int, typer.Argument(min=0, max=LARGEST)], as_json: AsJson = False) -> None:
    """Say why a stored message was or was not answered. CHAT is the chat's id (a group's begins with -)."""
    carry_out(requests.explain(chat, message), as_json=as_json)


@single.command()
def run(name: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Show the steps of a run with times and costs. ID is a run's id, turn:NUMBER, or a promise's number."""
    carry_out(requests.show_run(name), as_json=as_json)


@single.command()
def doctor() -> None:
    """Check the installation: each check, its result, the command that mends it."""
    from cli.doctor import check_all
    from core.settings import load_settings

    raise typer.Exit(check_all(load_settings(PROJECT)))


def build() -> typer.Typer:
    """The whole grammar. Errors are plain sentences, also at a terminal: a frame hides that they are one line."""
    valor = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    valor.add_typer(single)
    valor.add_typer(promises, name="promises")
    valor.add_typer(letters, name="deadletters")
    return valor
