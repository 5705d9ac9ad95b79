#!/usr/bin/env bash
# End exactly what scripts/start.sh started.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ! -x .venv/bin/python ]]; then
    echo "Nothing that scripts/start.sh started is running."
    exit 0
fi
exec .venv/bin/python -m cli.service stop "$@"
