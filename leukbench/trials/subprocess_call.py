"""Work in a process of its own: its libraries and its memory are gone when it is done.

The parent of a run stays small however many images there are; the audit, the preprocessing and the
report take what they need elsewhere. Arguments and results go through pipes as JSON, read by the types
that the function states: nothing is pickled, and nothing lies on disk.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, TypeAdapter

from leukbench import errors

SMALL = 200
"""Below so many images a process of its own would cost more time than its memory is worth."""
_RAISED = {
    kind.__name__: kind
    for kind in (errors.UsageError, errors.DataError, errors.LeakageError, OSError, MemoryError)
}
"""Errors that are raised here as they were there; any other becomes a RuntimeError."""

T = TypeVar("T")


class Raised(BaseModel):
    """An error on its way from the process to its parent."""

    kind: str
    """One of `_RAISED`, or empty."""
    arguments: list[Any]
    sentence: str
    traceback: str

    @classmethod
    def of(cls, error: Exception) -> Raised:
        """Describe the error that is being handled."""
        arguments: list[Any] = [str(error)]
        if isinstance(error, OSError):
            arguments = [error.errno, error.strerror, error.filename]
        return cls(
            kind=next((name for name, kind in _RAISED.items() if isinstance(error, kind)), ""),
            arguments=arguments,
            sentence=f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
        )

    def error(self) -> BaseException:
        """The error again; ``--debug`` shows its traceback."""
        kind = _RAISED.get(self.kind)
        error = kind(*self.arguments) if kind else RuntimeError(self.sentence)
        error.add_note(self.traceback)
        return error


def call_in_subprocess(function: Callable[..., T], *arguments: object, images: int) -> T:
    """Call a function in a fresh process and give what it returns, or raise what it raised.

    The function is one of a module of leukbench; the types of its arguments and result are stated, and
    JSON can hold them. Where it works on fewer than `SMALL` images it is called in this process.

    Raises
    ------
    RuntimeError
        Where the process was ended from outside, or raised what is no error of the user.
    """
    if images < SMALL:
        return function(*arguments)
    *parameters, returned = _types(function)
    task = {
        "module": function.__module__,
        "function": function.__qualname__,
        "arguments": [
            kind.dump_python(value) for kind, value in zip(parameters, arguments, strict=False)
        ],
    }
    done = subprocess.run(
        [sys.executable, "-m", "leukbench.trials.subprocess_call"],
        input=_written(task),
        stdout=subprocess.PIPE,
        check=False,
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(
            f"{function.__qualname__} was ended from outside (exit code {done.returncode}), "
            "most likely for its memory"
        ) from None
    if "raised" in answer:
        raise Raised.model_validate(answer["raised"]).error()
    result: T = returned.validate_python(answer["result"])
    return result


def _types(function: Callable[..., Any]) -> list[TypeAdapter[Any]]:
    """Readers of the arguments of a function, and last of its result."""
    hints = get_type_hints(function)
    returned = hints.pop("return")
    return [TypeAdapter(hint) for hint in (*hints.values(), returned)]


def _written(value: object) -> bytes:
    """JSON in ASCII, which also holds the name of a file that is no UTF-8."""
    return json.dumps(value, default=str).encode("ascii")


def main() -> None:
    """Carry out the task that standard input holds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told too, and ends this process
    answers = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not mix with the answer
    task = json.load(sys.stdin)
    module = str(task["module"])
    if not module.startswith("leukbench."):
        raise SystemExit(f"{module} is no module of leukbench")
    answer: dict[str, Any]
    try:
        function = getattr(import_module(module), task["function"])
        *parameters, returned = _types(function)
        arguments = [
            kind.validate_python(value)
            for kind, value in zip(parameters, task["arguments"], strict=False)
        ]
        answer = {"result": returned.dump_python(function(*arguments))}
    except Exception as error:
        answer = {"raised": Raised.of(error).model_dump()}
    with os.fdopen(answers, "wb") as stream:
        stream.write(_written(answer))


if __name__ == "__main__":
    main()
