"""Options that are lists, durations and sizes."""

from __future__ import annotations

import re

from leukbench.errors import UsageError

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_MEBIBYTES = {"": 1, "m": 1, "mb": 1, "g": 1024, "gb": 1024}


def names(option: str, text: str | None) -> tuple[str, ...] | None:
    """Split a comma-separated list.

    >>> names("--models", "a, b")
    ('a', 'b')
    """
    if text is None:
        return None
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise UsageError(f"{option} is empty: name one or more, with commas between.")
    return found


def numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    """Split a comma-separated list of whole numbers; ``0-4`` is a range.

    >>> numbers("--seeds", "0-2,7")
    (0, 1, 2, 7)
    """
    parts = names(option, text)
    if parts is None:
        return None
    found: list[int] = []
    for part in parts:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match:
            raise UsageError(f"{option} {text!r} does not fit: write whole numbers, as in 0,1,2.")
        first = int(match[1])
        found.extend(range(first, int(match[2]) + 1) if match[2] else [first])
    if not found:
        raise UsageError(f"{option} {text!r} does not fit: a range goes from low to high.")
    return tuple(dict.fromkeys(found))


def duration(option: str, text: str | None) -> float | None:
    """Seconds of ``90``, ``90s``, ``30m``, ``2h`` or ``1d``.

    >>> duration("--timeout", "30m")
    1800.0
    """
    return None if text is None else _quantity(option, text, _SECONDS, "30m")


def memory(option: str, text: str | None) -> float | None:
    """MiB of ``800m`` or ``8g``.

    >>> memory("--memory", "8g")
    8192.0
    """
    return None if text is None else _quantity(option, text, _MEBIBYTES, "8g")


def _quantity(option: str, text: str, units: dict[str, int], example: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.casefold())
    if not match or match[2] not in units or float(match[1]) == 0:
        raise UsageError(f"{option} {text!r} does not fit: write it like {example}.")
    return float(match[1]) * units[match[2]]
