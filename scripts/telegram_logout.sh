#!/bin/sh
# Sign the Telegram account out: Telegram ends the session, and its file keeps no key. Stop Valor first.
cd "$(dirname "$0")/.." || exit 1
if [ ! -e .venv/setup-stamp ]; then # written last, when everything is there
    echo "The environment is not set up yet: run scripts/setup first." >&2
    exit 1
fi
exec .venv/bin/python -m cli.telegram_logout "$@"
