"""Options that are numbers: one way for all commands to refuse nan, infinity and what makes no sense."""

from __future__ import annotations

from functools import partial
from typing import Any

import typer

from leukbench.errors import flag_of, require_number, require_whole


def number(name: str, help: str, low: float | None = None, high: float | None = None) -> Any:
    """An option that is a finite number from `low` to `high`."""
    read = partial(require_number, name, low=low, high=high)
    return typer.Option(flag_of(name), parser=read, metavar="NUMBER", help=help)


def whole(name: str, help: str, low: int, high: int | None = None) -> Any:
    """An option that is a whole number from `low` to `high`."""
    read = partial(require_whole, name, low=low, high=high)
    return typer.Option(flag_of(name), parser=read, metavar="N", help=help)
