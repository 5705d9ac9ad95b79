"""All agents, in one explicit tuple."""

from __future__ import annotations

from agents import link_reader, valor_agent

AGENTS = (valor_agent.MANIFEST, link_reader.MANIFEST)
