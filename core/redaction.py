"""Secrets leave the process in no text: known values and the shapes that keys and tokens have are masked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast
from urllib.parse import quote

MASK = "[secret]"
SHORTEST = 6

SHAPES = (
    r"\b(?:sk|pplx|rk|pk)-[A-Za-z0-9_-]{12,}",
    r"\b(?:ntn_|secret_|ghp_|gho_|ghs_|github_pat_|xox[a-z]-)[A-Za-z0-9_-]{12,}",
    r"\bAKIA[A-Z0-9]{16}\b",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    # No word boundary in front: the Bot API's addresses have "bot" right before the number.
    r"\d{6,12}:[A-Za-z0-9_-]{30,}",
    r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)",
    r"(?i:(?<=bearer )|(?<=basic ))[A-Za-z0-9._~+/=-]{6,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
)
SECRET_NAME = re.compile(
    r"(?i)(?:^|[_-])(?:api_?(?:key|hash)|x-api-key|token|password|passwd|secret|authorization|cookie|set-cookie)$"
)


class Redactor:
    """Masks the given secret values, and whatever looks like a secret, in text and in plain data."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = {form for secret in secrets if len(secret) >= SHORTEST for form in (secret, quote(secret, safe=""))}
        known = [re.escape(value) for value in sorted(values, key=len, reverse=True)]
        self._pattern = re.compile("|".join([*known, *SHAPES]))

    def text(self, text: str) -> str:
        return self._pattern.sub(MASK, text)

    def value(self, value: object) -> object:
        """The same data, masked; what is neither text, number, mapping nor sequence becomes its masked `repr`."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            pairs = cast("Mapping[object, object]", value).items()
            return {self.text(str(key)): self.named(str(key), item) for key, item in pairs}
        if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
            return [self.value(item) for item in cast("Iterable[object]", value)]
        return self.text(repr(value))

    def named(self, name: str, value: object) -> object:
        """Mask a value whose name alone says that it is a secret."""
        if SECRET_NAME.search(name) and not (value is None or isinstance(value, bool)):
            return MASK
        return self.value(value)
