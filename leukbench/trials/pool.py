"""Children that are kept for the next trial of the same kind."""

from __future__ import annotations

import threading
from collections import defaultdict

from leukbench.trials.worker import Worker


class ChildPool:
    """Children kept for the next trial of the same kind; a new kind gets a new child.

    A kind is one model, so that memory is measured for each by itself, or all probes. Safe to call
    from several threads.

    Parameters
    ----------
    threads : int
        Cores that each child may keep busy.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._idle: dict[str, list[Worker]] = defaultdict(list)
        self._lock = threading.Lock()
        self._closed = False

    def acquire(self, kind: str) -> Worker:
        """A child that serves this kind; idle ones of other kinds are ended."""
        with self._lock:
            if self._idle[kind]:
                return self._idle[kind].pop()
            others = [worker for name in self._idle for worker in self._idle[name]]
            self._idle.clear()
        for worker in others:
            worker.close()
        return Worker(self._threads)

    def release(self, kind: str, worker: Worker) -> None:
        """Keep a child for the next trial of its kind, or end it where the pool was closed."""
        with self._lock:
            if not self._closed:
                self._idle[kind].append(worker)
                return
        worker.close()

    def close(self) -> None:
        """End all idle children, and those that are released later."""
        with self._lock:
            self._closed = True
            for workers in self._idle.values():
                for worker in workers:
                    worker.close()
            self._idle.clear()
