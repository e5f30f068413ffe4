"""What can go wrong, each as one sentence and one exit code.

A sentence names a parameter as a program writes it, between backquotes: ```jobs=0` does not fit``. The
command line prints the same sentence with its flags, through `with_flags`.
"""

from __future__ import annotations

import difflib
import math
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

REGRESSION = 1
"""Exit code of the gate and of a verification that found a difference."""
LONGEST = 1500
"""Characters of a sentence, whatever a file holds."""
TRIALS_FAILED = 2
"""Exit code of a run in which a trial failed, passed a limit, or ended degenerate."""


class LeukbenchError(Exception):
    """A fault that the user can mend: one sentence naming the file or option, and the mend."""

    exit_code = 3

    def __str__(self) -> str:
        sentence = printable(super().__str__())
        if len(sentence) <= LONGEST:
            return sentence
        return f"{sentence[: LONGEST - 500]} ... {sentence[-400:]}"  # the mend stands at the end


class UsageError(LeukbenchError):
    """An option or a name that does not fit."""


class DataError(LeukbenchError):
    """Images or files that cannot be used as they are."""


class LeakageError(LeukbenchError):
    """The same image stands in training and test, and the protocol does not allow it."""

    exit_code = 4


def printable(text: str) -> str:
    r"""One line of a text that may hold the name of any file: what cannot be shown is escaped.

    >>> print(printable("two\nlines"), printable("caf\udce9.png"))
    two\nlines caf\xe9.png
    """
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in plain)


def require_number(
    name: str, value: Any, low: float | None = None, high: float | None = None
) -> float:
    """The number that a parameter has, or a `UsageError`: nan, infinity and switches are none.

    >>> require_number("tolerance", "0.02", 0, 1)
    0.02
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or not _between(number, low, high):
        raise UsageError(
            f"`{name}={shortened(value)}` does not fit: take a number{_range(low, high)}."
        )
    return number


def require_whole(name: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """The whole number that a parameter has, or a `UsageError`.

    >>> require_whole("seed", "7", 0)
    7
    """
    try:
        whole = not isinstance(value, bool) and (isinstance(value, str) or int(value) == value)
        number = int(value) if whole else None
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not _between(number, low, high):
        raise UsageError(
            f"`{name}={shortened(value)}` does not fit: take a whole number{_range(low, high)}."
        )
    return number


def require_file(path: Path) -> None:
    """Raise a `DataError` for a pipe, device or socket: to read one may never end."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return  # who opens it says what is wrong
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise DataError(f"{path} is {special_kind(mode)}, not a file: name a file.")


def special_kind(mode: int) -> str:
    """What a directory entry is that is neither file nor folder; empty for those two."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _between(number: float, low: float | None, high: float | None) -> bool:
    return (low is None or number >= low) and (high is None or number <= high)


def _range(low: float | None, high: float | None) -> str:
    return "".join(
        f" {word} {bound}" for word, bound in (("from", low), ("to", high)) if bound is not None
    )


def shortened(value: Any) -> str:
    """A value as Python writes it, in at most 60 characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more than 4300 digits, 1000 lists in lists
        text = f"a huge {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean X?)"``, or nothing where no known name is near.

    >>> did_you_mean("vgg61", ["vgg16", "alexnet"])
    ' (did you mean vgg16?)'
    >>> did_you_mean("zzz", ["vgg16"])
    ''
    """
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]}?)" if near else ""


_PARAMETER = re.compile(r"`([a-z][a-z_]*)(?:=([^`]*))?`")
_FLAGS = {"memory_mb": "memory"}


def flag_of(parameter: str) -> str:
    """The command line's flag of a parameter.

    >>> flag_of("memory_mb"), flag_of("save_models")
    ('--memory', '--save-models')
    """
    return "--" + _FLAGS.get(parameter, parameter.replace("_", "-"))


def with_flags(sentence: str) -> str:
    """Return a sentence with the command line's flags in place of parameters between backquotes.

    >>> with_flags("`jobs=0` does not fit: take a whole number from 1, or pass `fresh=True`.")
    '--jobs 0 does not fit: take a whole number from 1, or pass --fresh.'
    """

    def flag(match: re.Match[str]) -> str:
        name, value = match.groups()
        written = flag_of(name)
        return written if value in (None, "True") else f"{written} {value}"

    return _PARAMETER.sub(flag, sentence)
