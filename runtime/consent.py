"""Tools that wait for somebody's consent (P11): before such a call runs, exactly this call must have been granted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.capabilities.abstract import WrapModelRequestHandler
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestContext

from core.database import Database
from core.errors import ConsentNeeded
from runtime import store
from runtime.deps import Deps


@dataclass
class Consenting(AbstractCapability[Deps]):
    """Looks at each model response before its calls run; raises ConsentNeeded for the first that nobody granted.

    The response is a step by then, and none of its calls has begun: once granted, the same run goes on from there.
    """

    database: Database
    prefix: str = ""  # of the keys of a run that is nested in a tool call
    _requests: int = field(default=0, init=False)

    async def wrap_model_request(
        self,
        ctx: RunContext[Deps],
        *,
        request_context: ModelRequestContext,
        handler: WrapModelRequestHandler,
    ) -> ModelResponse:
        self._requests += 1
        response = await handler(request_context)
        for call in response.tool_calls:
            if call.tool_name in ctx.deps.workspace.consent:
                await self._check(ctx.deps.run_id, call)
        return response

    async def _check(self, run_id: str, call: ToolCallPart) -> None:
        arguments = call.args_as_dict()
        wanted = ConsentNeeded(call.tool_name, arguments, self._key_of(call), digest_of(call.tool_name, arguments))
        if not await self.database.read(lambda connection: store.is_granted(connection, run_id, wanted)):
            raise wanted

    def _key_of(self, call: ToolCallPart) -> str:
        """Some local servers give a call's id again in a later response."""
        return f"{self.prefix}{self._requests}:{call.tool_call_id}"


def digest_of(tool: str, arguments: Mapping[str, Any]) -> str:
    """What was granted: this tool with these arguments and no others."""
    spelled = json.dumps([tool, arguments], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(spelled.encode()).hexdigest()
