"""Trials in a child process that is ended at its limit of time or memory."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

OnEvent = Callable[[dict[str, Any]], None]
_POLL_SECONDS = 0.25


class Worker:
    """A child process that serves trials one after another.

    The libraries that a trial needs stay imported for the next one. A trial that passes a limit, or
    takes the process down, costs the process; the next trial gets a new one.

    Parameters
    ----------
    threads : int
        Cores that the child may keep busy.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._log = tempfile.TemporaryFile(  # noqa: SIM115 - closed by close()
            "w+", encoding="utf-8", errors="replace"
        )
        # what a child that is ended leaves behind, as TensorFlow's generated code
        self._scratch = tempfile.TemporaryDirectory(prefix="leukbench-", ignore_cleanup_errors=True)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(
        self,
        job_file: Path,
        *,
        timeout: float | None,
        memory_mb: float | None,
        on_event: OnEvent,
        cancelled: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Serve one job.

        Parameters
        ----------
        job_file : Path
            JSON file that the child reads.
        timeout : float or None
            Seconds after which the child is ended.
        memory_mb : float or None
            Resident memory in MiB at which the child is ended.
        on_event : callable
            Called with every epoch.
        cancelled : threading.Event, optional
            Ends the child when set.

        Returns
        -------
        dict
            With ``status`` (ok, degenerate, failed, timeout, out-of-memory), and the reason and
            traceback where it went wrong. This never raises for what a trial does. What goes wrong
            after the trial was measured costs it its explanation only.
        """
        process = self._alive()
        deadline = time.monotonic() + timeout if timeout else None
        measured: dict[str, Any] | None = None
        assert process.stdin is not None
        try:
            process.stdin.write(f"{job_file}\n")
            process.stdin.flush()
        except OSError:
            return self._dead(process)
        while True:
            try:
                line = self._answers.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                line = ""
            if line is None:
                return _settled(measured, self._dead(process))
            if line:
                answer: dict[str, Any] = json.loads(line)
                kind = answer.pop("event")
                if kind == "measured":
                    measured = answer
                elif kind == "done":
                    return (measured or {}) | answer
                elif kind == "failed":
                    reason = answer["error"].splitlines()[0][:500] if answer["error"] else ""
                    failure = {"reason": reason, "traceback": answer["traceback"]}
                    return _settled(measured, {"status": answer["kind"]} | failure)
                else:
                    on_event(answer)
            if cancelled is not None and cancelled.is_set():
                self._end()
                return {"status": "failed", "reason": "cancelled"}
            if deadline is not None and time.monotonic() > deadline:
                self._end()
                reason = f"ended after {timeout:.0f} s (--timeout)"
                return _settled(measured, {"status": "timeout", "reason": reason})
            if memory_mb is not None and _resident_mb(process.pid) > memory_mb:
                self._end()
                reason = f"ended at {memory_mb:.0f} MiB of memory (--memory)"
                return _settled(measured, {"status": "out-of-memory", "reason": reason})

    def ping(self, seconds: float = 60.0) -> bool:
        """Whether a child starts and answers in time."""
        process = self._alive()
        assert process.stdin is not None
        with suppress(OSError, queue.Empty):
            process.stdin.write("ping\n")
            process.stdin.flush()
            answer = self._answers.get(timeout=seconds)
            return answer is not None and json.loads(answer)["event"] == "pong"
        return False

    def close(self) -> None:
        """End the child and all that it started, and serve no more."""
        self._end()
        self._log.close()
        self._scratch.cleanup()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._forwarder.join()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _alive(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._log.seek(0)
        self._log.truncate()
        answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        process = subprocess.Popen(
            [sys.executable, "-m", "leukbench.trials.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env=child_environment(self.threads) | {"TMPDIR": self._scratch.name},
            start_new_session=True,
        )

        def forward() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                answers.put(line)
            answers.put(None)

        self._forwarder = threading.Thread(target=forward, daemon=True)
        self._forwarder.start()
        self._process, self._answers = process, answers
        return process

    def _dead(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        code = process.wait()
        self._log.seek(0)
        tail = "".join(self._log.readlines()[-40:])
        self._end()
        if code == -signal.SIGKILL:
            return {
                "status": "out-of-memory",
                "reason": "the process was killed by the system, most likely for its memory",
                "traceback": tail,
            }
        named = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return {
            "status": "failed",
            "reason": f"the process ended without an answer ({named})",
            "traceback": tail,
        }


def _settled(measured: dict[str, Any] | None, failure: dict[str, Any]) -> dict[str, Any]:
    """What a trial came to: its failure, or its measures where only the explanation went wrong."""
    if measured is None:
        return failure
    return measured | {"explanation": f"The explanation failed: {failure['reason']}"}


def child_environment(threads: int, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment of a child: thread limits, and quiet libraries."""
    number = str(threads)
    return dict(base) | {
        "OMP_NUM_THREADS": number,
        "OPENBLAS_NUM_THREADS": number,
        "MKL_NUM_THREADS": number,
        "TF_NUM_INTRAOP_THREADS": number,
        "TF_NUM_INTEROP_THREADS": "1" if threads == 1 else "2",
        "LOKY_MAX_CPU_COUNT": number,
        "TF_CPP_MIN_LOG_LEVEL": base.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "CUDA_VISIBLE_DEVICES": base.get("CUDA_VISIBLE_DEVICES", "-1"),
        "PYTHONUNBUFFERED": "1",
        "KERAS_BACKEND": "tensorflow",
    }


def _resident_mb(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0
