"""All agents, in one explicit tuple."""

from __future__ import annotations

from agents import valor_agent

AGENTS = (valor_agent.MANIFEST,)
