"""Files between the chat and the workspace, as an agent's tools."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import PurePosixPath

from pydantic_ai import RunContext, ToolReturn
from pydantic_ai.toolsets import FunctionToolset

from agents.tools.fenced import fence_of
from core.attachment import File, tell_size
from runtime.deps import Deps

PAGE = 24_000


def attachments_toolset() -> FunctionToolset[Deps]:
    """read_attachment; it raises RequestError for a refusal."""
    return FunctionToolset([read_attachment], id="attachments")


def exchange_toolset() -> FunctionToolset[Deps]:
    """send_file, save_attachment; each raises RequestError for a refusal."""
    return FunctionToolset([send_file, save_attachment], id="exchange")


async def read_attachment(ctx: RunContext[Deps], number: int, first: int = 0) -> str:
    """Read on in an attachment of this chat, from character `first`."""
    text = await ctx.deps.files.read(number, ctx.deps.asker)
    shown = text[max(first, 0) :][:PAGE]
    last = max(first, 0) + len(shown)
    return f"{shown}\n[characters {first:,}-{last:,} of {len(text):,}]"


async def send_file(ctx: RunContext[Deps], path: str, caption: str = "") -> ToolReturn:
    """Send a file of the workspace to the chat; pictures are shown as such."""
    content = await fence_of(ctx.deps).files.open_for_sending(path)
    name = PurePosixPath(path).name
    mime = mimetypes.guess_type(name)[0] or "application/octet-stream"
    await ctx.deps.files.send(File(name, mime, content), caption, ctx.deps.asker, ctx.deps.call(ctx.tool_call_id or ""))
    evidence = {"kind": "sent", "file": path, "sha256": hashlib.sha256(content).hexdigest()}
    return ToolReturn(f"{path} ({tell_size(len(content))}) is on its way to the chat.", metadata=[evidence])


async def save_attachment(ctx: RunContext[Deps], number: int, path: str) -> ToolReturn:
    """Put an attachment of this chat into the workspace as a file."""
    fence = fence_of(ctx.deps)
    file = await ctx.deps.files.open(number, ctx.deps.asker)
    await fence.ensure_writer()
    written = await fence.files.put(path, file.content)
    return ToolReturn(f"{written.path} saved ({written.size} bytes).", metadata=[written.evidence])
