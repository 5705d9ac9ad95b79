"""Running an agent: its model, tools, limits, journal and accounts put together for one prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from pydantic_ai import Agent
from pydantic_ai.exceptions import AgentRunError
from pydantic_ai.messages import BinaryContent
from pydantic_ai.settings import ModelSettings
from pydantic_ai.toolsets import FunctionToolset
from pydantic_ai.usage import RunUsage

from core.access import may
from core.attachment import Picture
from core.clock import Clock
from core.database import Database
from core.errors import Cancelled, ConsentNeeded, ModelError
from core.logs import AGENT_INPUTS, AGENT_OUTPUTS, bound
from runtime.accounts import Accounts, Caller
from runtime.consent import Consenting
from runtime.contents import UserSaid
from runtime.deps import OPEN_CALL, Deps
from runtime.journal import Book, Evidence, Journal, tell_steps
from runtime.journaling import Journaling
from runtime.limits import RunLimits
from runtime.manifest import AgentManifest, Tools
from runtime.model_errors import explain_run
from runtime.models import Models
from runtime.offline import KEEPING
from runtime.patience import OnText, PatientModel, Terms
from runtime.store import Run

CACHED = ModelSettings(cache=True)  # the capability of that name says no more, and costs time at each of its hooks
RETRIES = 2  # how often the model is told what was wrong with a call or an answer
EMPTY = "The model gave an empty answer. Ask again, or in other words."
CUT = "\n\n[Here the model reached the limit of its output.]"
log = structlog.get_logger("agents.runner")
inputs = structlog.get_logger(AGENT_INPUTS)
outputs = structlog.get_logger(AGENT_OUTPUTS)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run used, replayed requests included: model requests, tool calls, tokens."""

    requests: int
    tool_calls: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """`text` is Markdown and never empty. `evidence` is what tools were seen to do; `refused` names the tools that a
    right or the fence refused; `steps` counts model responses and tool calls."""

    text: str
    evidence: tuple[Evidence, ...]
    refused: tuple[str, ...]
    usage: Usage
    steps: int


class AgentRunner:
    """Runs agents for turns and promises."""

    def __init__(self, database: Database, clock: Clock, models: Models, limits: RunLimits) -> None:
        self._database = database
        self._clock = clock
        self._models = models
        self._limits = limits
        self._accounts = Accounts(database, clock)
        self._agents: dict[str, Agent[Deps, str]] = {}
        self._toolsets: dict[tuple[Tools, ...], FunctionToolset[Deps]] = {}

    def prepare(self, manifest: AgentManifest) -> None:
        """Do what the first run would do at first, imports above all; takes a second, off the event loop if need be."""
        self._models.build(manifest.model)
        self._agent(manifest)
        self._toolset(manifest.toolsets)

    def is_offline(self, manifest: AgentManifest) -> bool:
        """Whether only the offline model would answer."""
        return self._models.state(manifest.model).is_offline

    async def run(
        self, manifest: AgentManifest, prompt: UserSaid, deps: Deps, on_text: OnText | None = None
    ) -> RunResult:
        """Run an agent to its answer; with a `deps.run_id` that is known, go on with that run as it was asked then.

        Within a tool call of the same run it is nested: its steps lie below that call's.
        `on_text` hears the text of the newest model response as it grows; a try that fails begins it anew.
        Cancelling the awaiting task ends the run at once, its connection and tools with it.
        Raises ModelUnavailable for what may pass, other ModelErrors for what does not; in a promise's run Busy, when
        its directory is taken; Cancelled, when another process goes on with the run; ConsentNeeded, when a tool call
        must be allowed first; whatever `deps.gate` raises.
        """
        journal = self._journal(manifest, deps)
        with bound(run=deps.run_id, turn=deps.turn_id, promise=deps.promise_id):
            asked = await journal.open(prompt)
            status = "failed"
            try:
                result = await self._run(manifest, asked, deps, journal, on_text)
                status = "done"
            except (asyncio.CancelledError, ConsentNeeded, Cancelled):
                status = "stopped"
                raise
            finally:
                await journal.close(status)
            return result

    async def done_so_far(self, run_id: str) -> list[str]:
        """What a run has done, a line per tool call."""
        return await self._database.read(lambda connection: tell_steps(connection, run_id))

    async def _run(
        self, manifest: AgentManifest, prompt: UserSaid, deps: Deps, journal: Journal, on_text: OnText | None
    ) -> RunResult:
        limits = self._limits.usage(is_promise=deps.promise_id is not None)
        inputs.debug("agent input", agent=manifest.name, prompt=words_of(prompt))
        try:
            ran = await self._agent(manifest).run(
                prompt,
                deps=deps,
                run_id=deps.run_id,
                model=PatientModel(
                    self._models.build(manifest.model, deps.workspace.model), self._terms(deps, on_text)
                ),
                instructions=describe(manifest, deps),
                toolsets=[self._toolset(tuple(tools for tools in manifest.toolsets if tools.are_for(deps)))],
                capabilities=[Journaling(journal), Consenting(self._database, journal.prefix)],
                usage_limits=limits,
            )
        except AgentRunError as error:
            log.warning("agent run failed", agent=manifest.name, error=str(error))
            raise explain_run(error, limits.tool_calls_limit or 0) from error
        text = ran.output if ran.response.finish_reason != "length" else ran.output + CUT
        if not ran.output.strip():
            raise ModelError(EMPTY)
        outputs.debug("agent output", agent=manifest.name, text=text)
        return RunResult(text, journal.evidence, journal.refused, usage_of(ran.usage, journal), journal.steps)

    def _journal(self, manifest: AgentManifest, deps: Deps) -> Journal:
        """The run's own journal; within a tool call of the same run a nested one."""
        call = OPEN_CALL.get()
        if call is not None and call.journal.run_id == deps.run_id:
            return call.journal.nested(call.key, manifest.name, manifest.repeatable)
        place = deps.workspace.name
        run = Run(deps.run_id, manifest.name, place, deps.turn_id, deps.promise_id, deps.epoch)
        return Journal(Book(self._database, self._clock, run), manifest.repeatable)

    def _terms(self, deps: Deps, on_text: OnText | None) -> Terms:
        kind = "turn" if deps.promise_id is None else "promise"
        asker = deps.asker
        caller = Caller(asker.chat.key, deps.run_id, deps.promise_id, str(asker.person_id), kind)
        return Terms(self._accounts, caller, self._limits, self._clock, on_text)

    def _agent(self, manifest: AgentManifest) -> Agent[Deps, str]:
        if manifest.name not in self._agents:
            self._agents[manifest.name] = Agent(
                name=manifest.name,
                deps_type=Deps,
                instructions=manifest.instructions,
                retries=RETRIES,
                model_settings=CACHED,
            )
        return self._agents[manifest.name]

    def _toolset(self, offered: tuple[Tools, ...]) -> FunctionToolset[Deps]:
        """All that a run is offered as one: of several each takes its share of every run's time."""
        if offered not in self._toolsets:
            tools = [tool for toolset in offered for tool in toolset.build().tools.values()]
            self._toolsets[offered] = FunctionToolset(tools)
        return self._toolsets[offered]


def compose(text: str, pictures: Sequence[Picture]) -> UserSaid:
    """A prompt that shows pictures behind its words."""
    if not pictures:
        return text
    return [text, *(BinaryContent(picture.content, media_type=picture.mime) for picture in pictures)]


def words_of(prompt: UserSaid) -> str:
    """The words alone."""
    return prompt if isinstance(prompt, str) else "\n".join(part for part in prompt if isinstance(part, str))


def describe(manifest: AgentManifest, deps: Deps) -> str:
    """What an agent is told of this run: place, person, and what it has to do without."""
    place, asker = deps.workspace, deps.asker
    lines = [f"Workspace: {place.name}." + (f" {_line(place.description)}" if place.description else "")]
    lines.append(f"Asked by {_line(asker.name) or 'someone'} ({asker.role}) on {deps.clock.now():%Y-%m-%d} (UTC).")
    if place.persona:
        lines.append(place.persona)
    lines += [why_without(tools, deps) for tools in manifest.toolsets if not tools.are_for(deps)]
    if deps.promise_id is not None:
        lines.append(f"{KEEPING}{deps.promise_id}.")
    return "\n".join(dict.fromkeys(lines))


def why_without(tools: Tools, deps: Deps) -> str:
    """Why a toolset is off in this run, so that the agent can say so."""
    if not may(deps.asker.role, tools.needs):
        return f"Tools for {tools.needs} are off: a {deps.asker.role} has no right to them. Say so when asked."
    what = "Running commands is" if tools.in_sandbox and deps.fence is not None else "Files and commands are"
    return f"{what} off: this server has no fence for them. Say so when asked."


def usage_of(usage: RunUsage, journal: Journal) -> Usage:
    return Usage(usage.requests, journal.tool_calls, usage.input_tokens, usage.output_tokens)


def _line(text: str) -> str:
    """One line of at most 200 characters, of what others wrote."""
    return " ".join(text.split())[:200]
