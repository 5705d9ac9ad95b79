"""What chats are told about promises. Markdown; the fronts typeset it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from conversations.buttons import cancel_button, diff_button, retry_button
from conversations.delivery import Draft
from conversations.typeset import LOCAL
from core.errors import ConsentNeeded
from core.message import Button
from core.moments import tell_moment
from promises.promise import Evidence, Promise, Status, WaitingFor
from runtime.workspace_files import PREVIEWED

SHORT = 160
SUMMARY = 2_000
EVIDENCE_LINES = 20
ARGUMENTS = 6_000
LONGEST_KEPT = 15_000  # characters of a result that the chat's own rows keep well enough
HASH = 8


def shorten(text: str, limit: int = SHORT) -> str:
    """One line of at most `limit` characters; what is left out shows as …"""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def summarise(text: str) -> str:
    """The text as the table keeps it: the chat has it whole."""
    return text if len(text) <= SUMMARY else f"{text[: SUMMARY - 1].rstrip()}…"


def acknowledge(promise: Promise, after: tuple[int, ...] = ()) -> str:
    starts = f" It starts {_start(promise, after)}." if promise.status is Status.WAITING else ""
    again = f" It is repeated: {promise.every}." if promise.every else ""
    return f"Promise #{promise.id}: {shorten(promise.task_description).rstrip('.')}.{starts}{again}"


def _start(promise: Promise, after: tuple[int, ...]) -> str:
    moment = f"{tell_moment(promise.due_at, promise.zone)}" if promise.due_at else ""
    if promise.waiting_for is WaitingFor.SCHEDULE:
        return f"on {moment}"
    return f"after {_numbers(after)}" + (f", not before {moment}" if moment else "")


def ask_consent(promise: Promise, needed: ConsentNeeded, expires_at: datetime, spent: float | None) -> str:
    """The question, with the arguments whole or the sentence that they are not."""
    arguments = json.dumps(dict(needed.arguments), indent=1, ensure_ascii=False)
    block = arguments[:ARGUMENTS].replace("`" * 3, "'" * 3)
    whole = len(arguments) <= ARGUMENTS
    cut = "" if whole else f"These are the first {ARGUMENTS:,} of {len(arguments):,} characters."
    head = f"Promise #{promise.id} ({shorten(promise.task_description)}) wants to use `{needed.tool}` with"
    cost = f"It has cost ${spent:.4f} so far." if spent is not None else "What it has cost so far is not known."
    asked = f"{promise.requester_name or 'Somebody'} asked for this work. {cost}"
    look = f" `/diff {promise.id}` shows what would change." if needed.tool in PREVIEWED else ""
    return _paragraphs(head, f"```json\n{block}\n```", cut, asked, _how_to_decide(promise, expires_at) + look)


def _how_to_decide(promise: Promise, expires_at: datetime) -> str:
    number, until = promise.id, tell_moment(expires_at)
    yes, no = f"`/approve {number}`", f"`/refuse {number}`"
    if promise.chat.front.startswith("account:"):
        yes, no = f"{yes} or 👍 on this message", f"{no} or 👎"
    return f"{yes} allows exactly this, {no} does not; silence until {until} refuses it."


def tell_progress(promise: Promise, line: str) -> Draft:
    return _draft(promise, "progress", f"Promise #{promise.id}: {line}", buttons=cancel_button(promise.id))


def tell_completed(promise: Promise, text: str, evidence: Sequence[Evidence]) -> Draft:
    head = f"Promise #{promise.id} is done: {shorten(promise.task_description)}"
    is_kept = promise.chat.front == LOCAL and is_too_long(text)
    kept = f"`valor promises show {promise.id}` tells all of it." if is_kept else ""
    tail = _paragraphs(tell_evidence(evidence), kept)
    return _draft(promise, "result", _paragraphs(head, text.strip()), tail, _offer_diff(promise, evidence))


def is_summarised(text: str) -> bool:
    """Whether a result is kept whole beside its promise, whose row has only its beginning."""
    return len(text) > SUMMARY


def is_too_long(text: str) -> bool:
    """Whether a chat gets only its beginning, and a file."""
    return len(text.strip()) > LONGEST_KEPT


def tell_failed(promise: Promise, reason: str, evidence: Sequence[Evidence] = (), said: str = "") -> Draft:
    """`said` is what the agent gave as its result, for people to judge."""
    head = f"Promise #{promise.id} failed: {shorten(promise.task_description)}"
    words = f"The agent said:\n\n{said.strip()}" if said.strip() else ""
    text = _paragraphs(head, reason, words)
    buttons = (*retry_button(promise.id), *_offer_diff(promise, evidence))
    return _draft(promise, "result", text, tell_evidence(evidence), buttons)


def tell_cancelled(promise: Promise) -> Draft:
    head = f"Promise #{promise.id} is cancelled: {shorten(promise.task_description)}"
    again = "It is not repeated any more." if promise.every else ""
    done = f"Done until then: {promise.progress}" if promise.progress else ""
    text = _paragraphs(head, again, done, tell_evidence(promise.evidence))
    buttons = (*retry_button(promise.id), *_offer_diff(promise, promise.evidence))
    return _draft(promise, "notice", text, buttons=buttons)


def tell_late_cancel(promise: Promise, draft: Draft) -> Draft:
    """What came to another end although somebody had cancelled it is told with that."""
    if promise.cancel_requested_by is None or promise.status is Status.CANCELLED:
        return draft
    again = " It is not repeated any more." if promise.every else ""
    late = f"{promise.cancel_requested_by} cancelled it, but it was over by then.{again}"
    return replace(draft, tail=_paragraphs(draft.tail, late))


def tell_retried(promise: Promise, *, is_anew: bool, left: tuple[int, ...]) -> str:
    how = "It begins anew: its run had come to its end." if is_anew else "It goes on from where it stopped."
    starts = f"It starts {_start(promise, ())}." if promise.waiting_for is WaitingFor.SCHEDULE else ""
    starts = "It waits for what it follows." if promise.waiting_for is WaitingFor.DEPENDENCY else starts
    stays = f"What failed with it stays failed: {_numbers(left)}." if left else ""
    head = f"Promise #{promise.id} is taken up again: {shorten(promise.task_description).rstrip('.')}."
    return " ".join(part for part in (head, how, starts, stays) if part)


def close_progress(promise: Promise) -> str:
    """What the live line ends as."""
    ends = {Status.COMPLETED: "done", Status.FAILED: "failed", Status.CANCELLED: "cancelled"}
    return f"Promise #{promise.id}: {ends[promise.status]} ({promise.progress})"


def tell_evidence(evidence: Iterable[Evidence]) -> str:
    """One line per changed file, command and source; '' when there is none."""
    lines = [_line(item) for item in _merged(evidence)]
    hidden = len(lines) - EVIDENCE_LINES
    more = [f"- and {hidden} more, kept with the promise"] if hidden > 0 else []
    return "\n".join([*(f"- {line}" for line in lines[:EVIDENCE_LINES]), *more])


def _offer_diff(promise: Promise, evidence: Iterable[Evidence]) -> tuple[Button, ...]:
    has_changed = any(item.get("kind") == "file" for item in _merged(evidence))
    return diff_button(str(promise.id)) if has_changed else ()


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _merged(evidence: Iterable[Evidence]) -> list[Evidence]:
    """A file changed several times is one change: from its first state to its last."""
    files: dict[object, Evidence] = {}
    others: list[Evidence] = []
    for item in evidence:
        if item.get("kind") != "file":
            others.append(item)
            continue
        path = item.get("path")
        files[path] = {**item, "before": files.get(path, item).get("before")}
    return [*(item for item in files.values() if item.get("before") != item.get("after")), *others]


def _line(item: Evidence) -> str:
    match item:
        case {"kind": "file", "path": path, "before": before, "after": after}:
            return f"changed: `{path}` ({_hash(before)} → {_hash(after)})"
        case {"kind": "command", "command": command, "exit_code": code}:
            return f"ran: `{shorten(str(command)).replace('`', ' ')}` → {code}"
        case {"kind": "source", "url": url}:
            return f"read: {url}"
        case {"kind": "sent", "file": path}:
            return f"sent: `{path}`"
        case _:
            facts = ", ".join(f"{name} {value}" for name, value in item.items() if name != "kind")
            return f"{item.get('kind', 'seen')}: {shorten(facts)}"


def _hash(value: object) -> str:
    return f"{str(value)[:HASH]}…" if value else "nothing"


def _numbers(ids: tuple[int, ...]) -> str:
    return " and ".join(f"#{number}" for number in ids)


def _draft(promise: Promise, kind: str, text: str, tail: str = "", buttons: tuple[Button, ...] = ()) -> Draft:
    return Draft(
        promise.chat,
        kind,
        text,
        reply_to=promise.message_id,
        promise_id=promise.id,
        tail=tail,
        buttons=buttons,
    )
