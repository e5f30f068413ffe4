"""What a person sees while trials run: a live line a trial, or plain lines where there is no terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

from leukbench.errors import with_flags

if TYPE_CHECKING:
    from leukbench.records import Epoch, TrialRecord
    from leukbench.trials.plan import TrialPlan
    from leukbench.trials.prepare import Preparation

_EPOCH_LINE_SECONDS = 30.0


class ConsoleReporter:
    """Tells standard error how a run goes, or nothing where `quiet`; several threads may call it.

    On a terminal, running trials are redrawn in place while the reporter is entered.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet)
        self._running: dict[str, tuple[TrialPlan, float, Epoch | None]] = {}
        self._lock = threading.Lock()
        self._last_line = 0.0
        self._waiting = 0
        self._ended = 0
        self._live: Live | None = None
        if self._console.is_terminal and not quiet:
            self._live = Live(
                console=self._console,
                refresh_per_second=4,
                get_renderable=self._draw,
                transient=True,
            )

    def __enter__(self) -> ConsoleReporter:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """Write one line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def prepared(self, prepared: Preparation) -> None:
        """Say what is to be run."""
        source, protocol = prepared.source, prepared.options.protocol
        counts = ", ".join(f"{name} {number}" for name, number in source.counts.items())
        recognised = f"recognised as {source.catalog}" if source.catalog else "no known dataset"
        if source.synthetic:
            recognised = "SYNTHETIC smears"
        self.say(f"dataset   {source.name}: {len(source)} images ({counts}); {recognised}")
        for note in source.notes:
            self.say(f"          {with_flags(note)}")
        for image in source.skipped:
            self.say(f"skipped   {image.path}: {image.reason}")
        self.say(f"protocol  {protocol.name}: {protocol.title}")
        parts = prepared.split.groupby(["fold", "part"]).size().unstack(fill_value=0)
        first = ", ".join(f"{part} {number}" for part, number in parts.iloc[0].items())
        folds = "" if len(parts) == 1 else f" in fold 0 of {len(parts)}"
        self.say(f"split     {protocol.split.policy}: {first}{folds}")
        precisions = {
            plan.model: plan.parameters["precision"]
            for plan in prepared.plans
            if "precision" in plan.parameters
        }
        if precisions:
            self._precisions(protocol.training.precision, precisions, prepared.device.gpu)
            self.say(f"device    {prepared.device.sentence}")
        self.say(f"run       {prepared.out}: {len(prepared.plans)} trials")
        limits = prepared.limits
        way = f"{limits.jobs} side by side" if limits.jobs > 1 else "one after another"
        if prepared.options.scheduler is not None:
            way = "on all workers"
        each = "1 core" if limits.threads == 1 else f"{limits.threads} cores"
        why = f", {limits.reason}" if limits.reason else ""
        self.say(f"trials    {way}, {each} each{why}")

    def _precisions(self, setting: str, precisions: Mapping[str, str], gpu: str) -> None:
        """Say which precision each network is trained in, and why."""
        from leukbench.trials.precision import (
            describe_speedups,
            has_bfloat16_units,
            stored_speedups,
        )

        chosen = "; ".join(
            f"{value} for {', '.join(name for name in precisions if precisions[name] == value)}"
            for value in sorted(set(precisions.values()))
        )
        why = ""
        if setting == "auto" and gpu:
            why = " (bfloat16 is measured on the processor alone)"
        elif setting == "auto" and has_bfloat16_units():
            measured = stored_speedups()
            where = ", measured on this machine" if measured else ""
            why = f" ({describe_speedups(measured)}{where})"
        elif setting == "auto":
            why = " (the processor has no units for bfloat16)"
        self.say(f"precision {setting}: {chosen}{why}")

    def plan(self, prepared: Preparation) -> None:
        """Print every trial with whether it is finished and how long it may take."""
        from leukbench.trials.limits import estimates, last_end

        waiting: list[float | None] = []
        for plan, state, seconds in estimates(prepared.plans, prepared.split, prepared.out):
            if state != "finished":
                waiting.append(seconds)
            clock = "-" if seconds is None else _clock(seconds)
            self.say(f"  {plan.name:<44} {state:<9} {clock:>8}  {plan.key[:12]}")
        estimated = [seconds for seconds in waiting if seconds is not None]
        unknown = len(waiting) - len(estimated)
        parts = []
        if estimated or not unknown:
            parts.append(f"about {_clock(last_end(estimated, prepared.limits.jobs))} to go")
        if unknown:
            parts.append(f"{unknown} trials are of models that have not finished one here yet")
        self.say(f"  {'; '.join(parts)}; nothing was run (--dry-run)")

    def waiting(self, number: int, total: int) -> None:
        """Say how many trials are to be run."""
        self._waiting, self._ended = number, 0
        done = total - number
        if done:
            self.say(f"resume    {done} of {total} trials are finished and are not run again")

    def started(self, plan: TrialPlan) -> None:
        """A trial begins."""
        with self._lock:
            self._running[plan.key] = (plan, time.monotonic(), None)
        if self._live is None:
            self.say(f"start     {plan.name}")

    def epoch(self, plan: TrialPlan, epoch: Epoch) -> None:
        """A network finished an epoch."""
        with self._lock:
            _, begun, _ = self._running[plan.key]
            self._running[plan.key] = (plan, begun, epoch)
            now = time.monotonic()
            due = self._live is None and now - self._last_line >= _EPOCH_LINE_SECONDS
            if due:
                self._last_line = now
        if due:
            self.say(f"          {plan.name}: {_progress(epoch, now - begun)}")

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        """A trial is stored."""
        with self._lock:
            _, begun, _ = self._running.pop(plan.key)
            self._ended += 1
        seconds = _clock(time.monotonic() - begun)
        reason = f": {record.reason}" if record.reason else ""
        place = f"[{self._ended}/{self._waiting}]" if self._waiting else ""
        self.say(f"{record.status:<9} {plan.name} in {seconds}{reason} {place}".rstrip())

    def _draw(self) -> Table:
        table = Table.grid(padding=(0, 2))
        now = time.monotonic()
        with self._lock:
            for plan, begun, epoch in self._running.values():
                table.add_row("running", plan.name, _progress(epoch, now - begun))
        return table


def _progress(last: Epoch | None, seconds: float) -> str:
    if last is None:
        return _clock(seconds)
    left = seconds / max(last.epoch, 1) * (last.epochs - last.epoch)
    return (
        f"epoch {last.epoch}/{last.epochs}  loss {last.loss:.3f}  accuracy {last.accuracy:.3f}  "
        f"{_clock(seconds)}, {_clock(left)} left"
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
