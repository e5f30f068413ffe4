"""What a trial may cost in time and memory, from trials that were measured before."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pandas as pd

from leukbench.errors import DataError
from leukbench.records import TrialRecord, read_record

if TYPE_CHECKING:
    from leukbench.trials.options import RunOptions
    from leukbench.trials.plan import TrialPlan
    from leukbench.trials.prepare import Preparation

START_SECONDS = 8.0
CORES = 2
"""Of the machine that the reference figures were measured on."""
START_MB = 250.0
SERIAL_SHARE = 0.3
"""Of the time of a model whose share is not known."""
_UNKNOWN_NETWORK = {"pixels": 2500, "memory_mb": 2000.0, "memory_images": 64}
_UNKNOWN_OTHERS_MB = 1000.0


@dataclass(frozen=True)
class Cost:
    """What one trial may take.

    Attributes
    ----------
    seconds : float or None
        On `CORES` cores that it has to itself; None where nothing is known.
    serial_share : float
        Share of its time on one core that further cores do not shorten (Amdahl's law), 0 to 1.
    memory_mb : float
        Peak of its process, MiB.
    """

    seconds: float | None
    serial_share: float
    memory_mb: float

    def seconds_on(self, threads: int, unknown: float) -> float:
        """Seconds on so many cores; `unknown` seconds on `CORES` where nothing is known."""
        seconds = unknown if self.seconds is None else self.seconds
        return seconds * self._share(threads) / self._share(CORES)

    def _share(self, threads: int) -> float:
        return self.serial_share + (1 - self.serial_share) / threads


def reference_costs(
    plans: Sequence[TrialPlan], split: pd.DataFrame, options: RunOptions
) -> list[Cost]:
    """Costs of trials from the figures that come with the package.

    They are scaled by images and epochs, and by the area of the images: an upper figure for models
    whose cost does not grow with it.
    """
    images = _training_images(split)
    size = options.protocol.preprocessing.size
    return [_reference_cost(plan, images[plan.fold], size) for plan in plans]


def _reference_cost(plan: TrialPlan, images: int, size: int) -> Cost:
    known = _reference().get(plan.kind)
    if known is None and plan.spec.framework != "keras":
        return Cost(None, SERIAL_SHARE, _UNKNOWN_OTHERS_MB)
    figures = known or _UNKNOWN_NETWORK
    area = size**2 / figures["pixels"]
    held = float(plan.parameters.get("batch_size", images))
    grown = (figures["memory_mb"] - START_MB) * area * held / figures["memory_images"]
    if known is None:
        return Cost(None, SERIAL_SHARE, START_MB + grown)
    seconds = known["seconds_per_image_epoch"] * area * images * _epochs(plan)
    return Cost(seconds, known["serial_share"], START_MB + grown)


def estimates(prepared: Preparation, threads: int = CORES) -> list[tuple[TrialPlan, str, float]]:
    """State and likely duration of every trial of a run, on so many cores each.

    A finished trial gives its own time. Others are estimated from finished trials of the same model in
    the run folder, scaled by images and epochs, else from `reference_costs`.

    Returns
    -------
    list of (TrialPlan, str, float)
        The plan; ``"finished"``, ``"estimate"`` or ``"guess"``; and seconds, 0 where nothing is known.
    """
    images = _training_images(prepared.split)
    finished: dict[str, float] = {}
    rates: dict[str, list[float]] = defaultdict(list)
    for record in stored_records(prepared.out):
        if not record.scored:
            continue
        finished[record.key] = record.total_seconds or 0.0
        if record.fit_seconds:
            work = record.n_train * max(record.epochs_run or 1, 1)
            rates[record.model].append(record.fit_seconds / work)
    found = []
    costs = reference_costs(prepared.plans, prepared.split, prepared.options)
    for plan, cost in zip(prepared.plans, costs, strict=True):
        state, seconds = "guess", 0.0
        if plan.key in finished:
            state, seconds = "finished", finished[plan.key]
        elif plan.model in rates:
            work = images[plan.fold] * _epochs(plan)
            state, seconds = "estimate", START_SECONDS + median(rates[plan.model]) * work
        elif cost.seconds is not None:
            seconds = START_SECONDS + cost.seconds_on(threads, cost.seconds)
        found.append((plan, state, seconds))
    return found


def _epochs(plan: TrialPlan) -> int:
    return int(plan.parameters.get("epochs", 1))


def _training_images(split: pd.DataFrame) -> dict[int, int]:
    """Number of training images by fold."""
    folds, train = split["fold"], split["part"] == "train"
    return {int(fold): int(train[folds == fold].sum()) for fold in folds.unique()}


def stored_records(out: Path) -> Iterator[TrialRecord]:
    """Records of a run folder, one after another; what cannot be read is passed over."""
    for path in sorted((out / "trials").glob("*/record.json")):
        with suppress(DataError):
            yield read_record(path)


@cache
def _reference() -> Mapping[str, Mapping[str, Any]]:
    """Figures of an otherwise idle machine with bfloat16 units, by model, and of all probes together.

    ``serial_share`` comes from one trial on two cores against two side by side with one core each;
    ``memory_mb`` was the process's peak at batches, or for models without them at training images, of
    ``memory_images``.
    """
    source = resources.files("leukbench.trials") / "reference_costs.json"
    loaded: dict[str, Mapping[str, Any]] = json.loads(source.read_text(encoding="utf-8"))
    return loaded
