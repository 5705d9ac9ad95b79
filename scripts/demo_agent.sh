#!/usr/bin/env bash
# Ask Valor a few things on the command line; what was said is kept in logs/agent_demo.log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup >&2
mkdir -p logs
for question in "help" "ping" "files"; do
    echo "> $question"
    .venv/bin/python agents/valor_agent.py "$question"
    echo
done 2>&1 | tee logs/agent_demo.log
