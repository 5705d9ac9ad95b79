#!/usr/bin/env bash
# End exactly what scripts/start.sh started.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ! -x .venv/bin/python ]]; then
    echo "Nothing that scripts/start.sh started is running."
    exit 0
fi
# A set-up that failed over a newer version leaves what is needed to end the older one, mostly.
if [[ ! -e .venv/setup-stamp ]] && ! .venv/bin/python -c 'import cli.service' 2>/dev/null; then
    echo "The set-up of this folder did not finish, and without it nothing can be ended: run scripts/setup, then this again." >&2
    exit 1
fi
exec .venv/bin/python -m cli.service stop "$@"
