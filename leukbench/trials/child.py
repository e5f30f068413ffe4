"""The child process: takes jobs on standard input, a JSON file's path a line, and answers in lines.

Every answer is one JSON object on standard output: ``{"event": "epoch", ...}`` while a network trains,
``{"event": "measured", ...}`` when the predictions are there, and ``{"event": "done", ...}`` at the end
of a job; the latter two hold an `Outcome`. What goes wrong after "measured" cannot undo it. Standard
error is free for whatever libraries print.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from leukbench.records import Epoch, Job, Outcome
from leukbench.trials.worker import settle


def main() -> None:
    """Serve jobs until standard input ends."""
    threading.Thread(target=_follow_parent, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    for line in sys.stdin:
        path = line.strip()
        if path == "ping":
            _say(answers, "pong")
        elif path:
            _serve(Path(path), answers)


def _say(answers: TextIO, event: str, record: Epoch | Outcome | None = None) -> None:
    values = {} if record is None else record.model_dump(mode="json")
    answers.write(json.dumps({"event": event} | values) + "\n")
    answers.flush()


def _follow_parent(parent: int) -> None:
    """End with the parent, even where that was killed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _serve(path: Path, answers: TextIO) -> None:
    measured: Outcome | None = None
    try:
        from leukbench.trials.trial import run_trial

        _reset_peak_memory()
        job = Job.model_validate_json(path.read_bytes())
        started = time.perf_counter()
        outcome, explain = run_trial(job, on_epoch=lambda epoch: _say(answers, "epoch", epoch))
        seconds = time.perf_counter() - started
        measured = outcome.model_copy(
            update={"total_seconds": seconds, "peak_memory_mb": _peak_memory_mb()}
        )
        _say(answers, "measured", measured)
        done = measured.model_copy(update={"explanation": explain()})
    except Exception as error:
        done = settle(measured, _failure(error))
    _say(answers, "done", done)


def _failure(error: Exception) -> Outcome:
    trace = _as_text(traceback.format_exc())
    if isinstance(error, MemoryError):
        return Outcome(status="out-of-memory", reason="out of memory", traceback=trace)
    exhausted = type(error).__name__ == "ResourceExhaustedError"
    reason = _as_text(f"{type(error).__name__}: {error}".strip().splitlines()[0][:500])
    return Outcome(
        status="out-of-memory" if exhausted else "failed", reason=reason, traceback=trace
    )


def _as_text(text: str) -> str:
    """Escape what UTF-8 cannot hold, such as parts of the name of a file."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _reset_peak_memory() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_memory_mb() -> float:
    """Largest resident set since the job began, in MiB (since the process began, outside Linux)."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


if __name__ == "__main__":
    main()
