"""What a run under way leaves for `leukbench status`: what runs, what is left, and a sign of life."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated

from pydantic import AfterValidator, BaseModel

from leukbench.errors import DataError
from leukbench.files import write_text
from leukbench.records import Epoch, TrialRecord
from leukbench.trials.local import Reporter
from leukbench.trials.lock import WORK
from leukbench.trials.plan import TrialPlan

PROGRESS = "progress.json"
BEAT_SECONDS = 5.0


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("has no time zone")
    return text


Moment = Annotated[str, AfterValidator(_moment)]
"""Date and time with a time zone."""


class RunningTrial(BaseModel):
    """A trial under way."""

    name: str
    since: Moment
    """Date and time, UTC."""
    heard: Moment
    """When it last told something: that it began, or an epoch."""
    epoch: int = 0
    epochs: int = 0


class Progress(BaseModel):
    """Content of ``.work/progress.json``, which is there until all trials of a run have ended."""

    beat: Moment
    """When it was written: date and time, UTC."""
    planned: dict[str, str]
    """Trials of the run, finished ones too: names by key."""
    running: tuple[RunningTrial, ...] = ()


def now() -> str:
    """Date and time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Heartbeat:
    """A reporter that passes on what it hears, and writes it down every few seconds while entered.

    The file stays where the run is interrupted or fails, so that what is left can be told then too.
    """

    def __init__(self, folder: Path, plans: Sequence[TrialPlan], reporter: Reporter) -> None:
        self._path = folder / WORK / PROGRESS
        self._planned = {plan.key: plan.name for plan in plans}
        self._reporter = reporter
        self._running: dict[str, RunningTrial] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if error is None:
            self._path.unlink(missing_ok=True)
            return
        self._running.clear()
        self._write()

    def waiting(self, number: int, total: int) -> None:
        """Pass it on."""
        self._reporter.waiting(number, total)

    def started(self, plan: TrialPlan) -> None:
        """Note that a trial began."""
        with self._lock:
            begun = now()
            self._running[plan.key] = RunningTrial(name=plan.name, since=begun, heard=begun)
        self._reporter.started(plan)

    def epoch(self, plan: TrialPlan, epoch: Epoch) -> None:
        """Note an epoch."""
        with self._lock:
            if trial := self._running.get(plan.key):
                told = {"epoch": epoch.epoch, "epochs": epoch.epochs, "heard": now()}
                self._running[plan.key] = trial.model_copy(update=told)
        self._reporter.epoch(plan, epoch)

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        """Note that a trial is stored."""
        with self._lock:
            self._running.pop(plan.key, None)
        self._reporter.ended(plan, record)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        with self._lock:
            running = tuple(self._running.values())
        progress = Progress(beat=now(), planned=self._planned, running=running)
        with suppress(DataError, OSError):  # a full disk ends the run where it loses something
            write_text(self._path, progress.model_dump_json())
