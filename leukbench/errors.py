"""What can go wrong, each as one sentence and one exit code.

A sentence names a parameter as a program writes it, between backquotes: ```jobs=0` does not fit``. The
command line prints the same sentence with its flags, through `with_flags`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

REGRESSION = 1
"""Exit code of the gate and of a verification that found a difference."""
TRIALS_FAILED = 2
"""Exit code of a run in which a trial failed, passed a limit, or ended degenerate."""


class LeukbenchError(Exception):
    """A fault that the user can mend: one sentence naming the file or option, and the mend."""

    exit_code = 3


class UsageError(LeukbenchError):
    """An option or a name that does not fit."""


class DataError(LeukbenchError):
    """Images or files that cannot be used as they are."""


class LeakageError(LeukbenchError):
    """The same image stands in training and test, and the protocol does not allow it."""

    exit_code = 4


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
