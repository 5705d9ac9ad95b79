#!/usr/bin/env bash
# Bring Valor up: server, Telegram, worker. Sets up what is missing first. See `scripts/start.sh --help`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup >&2
exec .venv/bin/python -m cli.service start "$@"
