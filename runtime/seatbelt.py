"""The fence of macOS: a profile for sandbox-exec.

As far as it goes: files and the network are fenced, but there is one process list, signals reach the user's own
processes, and memory and processes are not limited. The README says so.
"""

from __future__ import annotations

from pathlib import Path

from runtime.policy import FencePolicy

READABLE = ("/usr", "/bin", "/sbin", "/System", "/Library", "/opt/homebrew", "/private/etc", "/private/var/db", "/dev")


def write_profile(policy: FencePolicy, scratch: Path) -> str:
    """The profile's text; `scratch` is the tool's own temporary folder. Later rules win."""
    lines = [
        "(version 1)",
        "(deny default)",
        "(allow process-fork process-exec sysctl-read mach-lookup)",
        "(allow signal (target same-sandbox))",
        "(allow file-read-metadata)",
        *(f"(allow file-read* (subpath {_quote(place)}))" for place in READABLE),
        '(allow file-write-data (literal "/dev/null") (literal "/dev/tty"))',
        *(f"(allow file-read* file-write* (subpath {_quote(place)}))" for place in (policy.directory, scratch)),
        *(f"(deny file-write* (subpath {_quote(place)}))" for place in policy.read_only),
        *(line for place in policy.masked for line in _hide(place)),
        *_network(policy),
    ]
    return "\n".join(lines) + "\n"


def _hide(place: Path) -> tuple[str, str]:
    pattern = "".join(f"\\{sign}" if sign in r".+*?()[]{}|^$\\" else sign for sign in str(place))
    return (
        f"(deny file-read* file-write* (subpath {_quote(place)}))",
        f'(deny file-read* file-write* (regex #"^{pattern}[-.]"))',
    )


def _network(policy: FencePolicy) -> list[str]:
    allowed = [f'(allow network-outbound (remote tcp "*:{port}"))' for port in policy.network_ports]
    return [*allowed, '(allow network-outbound (remote udp "*:53"))'] if allowed else []


def _quote(place: Path | str) -> str:
    escaped = str(place).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
