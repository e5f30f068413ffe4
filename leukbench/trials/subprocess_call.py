"""Work in a process of its own: its libraries and its memory are gone when it is done.

The parent of a run stays small however many images there are; the audit, the preprocessing and the
report take what they need elsewhere.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

SMALL = 200
"""Below so many images a process of its own would cost more time than its memory is worth."""

T = TypeVar("T")


def call_in_subprocess(function: Callable[..., T], *arguments: object, images: int) -> T:
    """Call a function in a fresh process and give what it returns, or raise what it raised.

    The function is one of a module, and arguments and result can be pickled. Where it works on fewer
    than `SMALL` images it is called in this process.

    Raises
    ------
    RuntimeError
        Where the process was ended from outside.
    """
    if images < SMALL:
        return function(*arguments)
    with tempfile.TemporaryDirectory(prefix="leukbench-") as folder:
        task, answer = Path(folder) / "task", Path(folder) / "answer"
        with task.open("wb") as file:
            pickle.dump((function, arguments), file, protocol=pickle.HIGHEST_PROTOCOL)
        done = subprocess.run(
            [sys.executable, "-m", "leukbench.trials.subprocess_call", str(task), str(answer)],
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if not answer.is_file():
            raise RuntimeError(
                f"{function.__qualname__} was ended from outside (exit code {done.returncode}), "
                "most likely for its memory"
            )
        with answer.open("rb") as file:
            returned, value = pickle.load(file)
    if not returned:
        raise value
    result: T = value
    return result


def main() -> None:
    """Carry out the task that the command line names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told too, and ends this process
    task, answer = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        with task.open("rb") as file:
            function, arguments = pickle.load(file)
        outcome = (True, function(*arguments))
    except Exception as error:
        outcome = (False, error)
    unfinished = answer.with_suffix(".part")
    with unfinished.open("wb") as file:
        pickle.dump(outcome, file, protocol=pickle.HIGHEST_PROTOCOL)
    unfinished.replace(answer)


if __name__ == "__main__":
    main()
