"""Trials in child processes that are ended at their limit of time or memory."""

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
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil

from leukbench.records import Epoch, Job, Outcome
from leukbench.trials.device import gpu_environment

OnEvent = Callable[[Epoch], None]
_POLL_SECONDS = 0.25


class Worker:
    """A child process, with so many cores, that serves trials one after another.

    The libraries that a trial needs stay imported for the next one. A trial that passes a limit, or
    takes the process down, costs the process; the next trial gets a new one.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._gpu = ""
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
        job: Job,
        *,
        timeout: float | None,
        memory_mb: float | None,
        on_event: OnEvent,
        cancelled: threading.Event | None = None,
    ) -> Outcome:
        """Serve one job, which the child reads from ``job.json`` in its work folder.

        The child is ended after `timeout` seconds, at `memory_mb` MiB of resident memory, or when
        `cancelled` is set; `on_event` is called with every epoch. This never raises for what a trial
        does. What goes wrong after the trial was measured costs it its explanation only.
        """
        job_file = job.workdir / "job.json"
        job_file.write_text(job.model_dump_json(), encoding="utf-8")
        process, begun = self._alive(job.device), time.monotonic()
        measured: Outcome | None = None
        failure = None if self._send(str(job_file)) else self._dead(process)
        while failure is None:
            event, line = self._next_line(_POLL_SECONDS)
            if event == "epoch":
                on_event(Epoch.model_validate_json(line))
            elif event == "measured":
                measured = Outcome.model_validate_json(line)
            elif event == "done":
                job_file.unlink()
                return Outcome.model_validate_json(line)
            if event == "died":
                failure = self._dead(process)
            elif cancelled is not None and cancelled.is_set():
                failure = Outcome(status="failed", reason="cancelled")
            elif timeout is not None and time.monotonic() - begun > timeout:
                reason = f"ended after {timeout:.0f} s (--timeout)"
                failure = Outcome(status="timeout", reason=reason)
            elif memory_mb is not None and _resident_mb(process.pid) > memory_mb:
                reason = f"ended at {memory_mb:.0f} MiB of memory (--memory)"
                failure = Outcome(status="out-of-memory", reason=reason)
        self._end()
        job_file.unlink()
        return settle(measured, failure)

    def ping(self, seconds: float = 60.0) -> bool:
        """Whether a child starts and answers in time."""
        self._alive()
        return self._send("ping") and self._next_line(seconds)[0] == "pong"

    def close(self) -> None:
        """End the child and all that it started, and serve no more."""
        self._end()
        self._log.close()
        self._scratch.cleanup()

    def _send(self, line: str) -> bool:
        """Write one line to the child; False where it does not listen any more."""
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except OSError:
            return False
        return True

    def _next_line(self, seconds: float) -> tuple[str, str]:
        """What the child says next, and which event it is; ``"died"``, or ``""`` for nothing yet."""
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            return "", ""
        return ("died", "") if line is None else (json.loads(line)["event"], line)

    def _alive(self, gpu: str = "") -> subprocess.Popen[str]:
        same = gpu == self._gpu
        if same and self._process is not None and self._process.poll() is None:
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
            env=child_environment(self._threads, gpu) | {"TMPDIR": self._scratch.name},
            start_new_session=True,
        )

        def forward() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                answers.put(line)
            answers.put(None)

        self._forwarder = threading.Thread(target=forward, daemon=True)
        self._forwarder.start()
        self._process, self._answers, self._gpu = process, answers, gpu
        return process

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

    def _dead(self, process: subprocess.Popen[str]) -> Outcome:
        code = process.wait()
        self._log.seek(0)
        tail = "".join(self._log.readlines()[-40:])
        if code == -signal.SIGKILL:
            reason = "the process was killed by the system, most likely for its memory"
            return Outcome(status="out-of-memory", reason=reason, traceback=tail)
        named = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        reason = f"the process ended without an answer ({named})"
        return Outcome(status="failed", reason=reason, traceback=tail)


class WorkerPool:
    """Workers, of so many cores each, that are kept for the next trial of the same kind.

    A kind is one model, so that memory is measured for each by itself, or all probes. Safe to call
    from several threads.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._idle: dict[str, list[Worker]] = defaultdict(list)
        self._lock = threading.Lock()
        self._closed = False

    def run(
        self,
        kind: str,
        job: Job,
        *,
        timeout: float | None,
        memory_mb: float | None,
        on_event: OnEvent,
        cancelled: threading.Event | None = None,
    ) -> Outcome:
        """Serve one job as `Worker.run` does, by a child of its kind; idle ones of others end."""
        worker = self._take(kind)
        try:
            outcome = worker.run(
                job, timeout=timeout, memory_mb=memory_mb, on_event=on_event, cancelled=cancelled
            )
        except BaseException:
            worker.close()
            raise
        with self._lock:
            if not self._closed:
                self._idle[kind].append(worker)
                return outcome
        worker.close()
        return outcome

    def close(self) -> None:
        """End all idle children, and those that are under way when they are done."""
        with self._lock:
            self._closed = True
            self._close_idle()

    def _take(self, kind: str) -> Worker:
        with self._lock:
            if self._idle[kind]:
                return self._idle[kind].pop()
            self._close_idle()
        return Worker(self._threads)

    def _close_idle(self) -> None:
        for workers in self._idle.values():
            for worker in workers:
                worker.close()
        self._idle.clear()


def settle(measured: Outcome | None, failure: Outcome) -> Outcome:
    """How a trial ended: its failure, or its measures where only the explanation went wrong."""
    if measured is None:
        return failure
    explanation = f"The explanation failed: {failure.reason}"
    return measured.model_copy(update={"explanation": explanation})


def child_environment(
    threads: int, gpu: str = "", base: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Environment of a child: thread limits, quiet libraries, and no GPU but where one is named."""
    return dict(base) | {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1" if threads == 1 else "2",
        "LOKY_MAX_CPU_COUNT": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": base.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "PYTHONUNBUFFERED": "1",
        "KERAS_BACKEND": "tensorflow",
        **gpu_environment(gpu),
    }


def _resident_mb(pid: int) -> float:
    try:
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0
