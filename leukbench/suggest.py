"""Nearest known name to one that was mistyped."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean X?)"``, or nothing where no known name is near.

    >>> did_you_mean("vgg61", ["vgg16", "alexnet"])
    ' (did you mean vgg16?)'
    >>> did_you_mean("zzz", ["vgg16"])
    ''
    """
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]}?)" if near else ""
