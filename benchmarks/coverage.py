"""Does the referee keep its word? Coverage of the intervals and Type I error of the deciding tests.

Run as ``python -m benchmarks.coverage [--quick]``. Two models that are equally good are simulated, with
images alone or in groups, seeds that spread, folds that share training images, and errors that depend on
the order of files; leukbench's own functions then give intervals and verdicts. The table says how often
the 95 % interval holds the truth, and how often the two are called different at 5 %. A scenario passes
with coverage of 93 to 98 % and a Type I error of at most 6 %; where the verdict abstains (fewer than ten
effective groups, fewer than three folds) it says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from leukbench.score.file_order import LENGTHS, dependence_p, runs_of
from leukbench.score.intervals import (
    MIN_GROUPS,
    effective_groups,
    proportion_interval,
    shared_by_seeds,
)
from leukbench.score.members import MIN_SEEDS
from leukbench.score.pair_tests import TOO_FEW_FOLDS, Outcomes, Settings, draw, pair_test
from leukbench.score.paired import holm, swap_p, swapped_sums
from leukbench.score.summary import joined

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

ACCURACY = 0.9
COVERAGE, TYPE_1 = (0.93, 0.98), 0.06
HOW = Settings(alpha=0.05, power=0.8, resamples=400, seed=0)
SWAPS = 1999


@dataclass(frozen=True)
class Scenario:
    """What is simulated.

    Attributes
    ----------
    groups : int
        0 for images alone; `sizes` are ``equal`` or ``unequal`` (lognormal).
    icc : float
        Share of the latent variance that a group, or a run of 20 files, has in common.
    spread : float
        Standard deviation of the accuracy over seeds (folds), in points.
    """

    name: str
    images: int = 650
    groups: int = 0
    sizes: str = "equal"
    icc: float = 0.0
    seeds: int = 1
    spread: float = 0.0
    folds: int = 1
    runs: bool = False
    accuracy: float = ACCURACY

    @property
    def trained(self) -> bool:
        """Whether the verdict speaks of the trained models: the truth is theirs."""
        return self.folds == 1 and self.seeds < MIN_SEEDS


def scenarios() -> Iterator[Scenario]:
    """All rows of the table."""
    for images in (100, 650, 3000):
        yield Scenario(f"{images} images alone", images)
    for groups in (6, 10, 20, 50, 150):
        for sizes in ("equal", "unequal"):
            yield Scenario(f"{groups} {sizes} groups", groups=groups, sizes=sizes, icc=0.3)
    for seeds in (1, 2, 3, 5):
        for spread in (0.0, 1.0, 2.0, 3.0):
            name = f"{seeds} seed{'s' if seeds > 1 else ''}, spread {spread:g} points"
            yield Scenario(name, seeds=seeds, spread=spread)
    yield Scenario("3 seeds, spread 2 points, 20 groups", groups=20, icc=0.3, seeds=3, spread=2.0)
    for folds in (2, 3, 5, 10):
        for spread in (0.0, 2.0):
            yield Scenario(f"{folds} folds, spread {spread:g} points", folds=folds, spread=spread)
    for accuracy in (0.7, 0.97):
        at = f", accuracy {100 * accuracy:g} %"
        yield Scenario(f"650 images alone{at}", accuracy=accuracy)
        yield Scenario(f"20 equal groups{at}", groups=20, icc=0.3, accuracy=accuracy)
        yield Scenario(
            f"50 unequal groups{at}", groups=50, sizes="unequal", icc=0.3, accuracy=accuracy
        )
        yield Scenario(f"5 seeds, spread 1 points{at}", seeds=5, spread=1.0, accuracy=accuracy)
    yield Scenario("runs of 20 files, no group known", images=650, icc=0.3, runs=True)


def group_numbers(scenario: Scenario, rng: np.random.Generator) -> Integers:
    """Group of each image; an image alone is a group."""
    if not scenario.groups:
        return np.arange(scenario.images)
    shares = np.ones(scenario.groups)
    if scenario.sizes == "unequal":
        shares = rng.lognormal(0, 1, scenario.groups)
    sizes = np.maximum(2, np.round(shares / shares.sum() * scenario.images)).astype(int)
    return np.repeat(np.arange(scenario.groups), sizes)


def simulate(
    scenario: Scenario, groups: Integers, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Array]:
    """Right or wrong, shape (2 models, seeds, images), and each model's true accuracy.

    A latent normal decides: difficulty of the image, which both models share in part, the group, which
    each model takes its own way, and the training, whose spread is that of the seeds. With fewer
    than three seeds the truth is that of the trained models.
    """
    n, level = len(groups), norm.ppf(scenario.accuracy)
    clustered = np.arange(n) // 20 if scenario.runs else groups
    share = scenario.icc if scenario.runs or scenario.groups else 0.0
    shift = scenario.spread / 100 / norm.pdf(level)
    cut = level * np.sqrt(1 + shift**2)
    difficulty = rng.normal(size=n) * np.sqrt(0.5 * (1 - share))
    right, truth = np.empty((2, scenario.seeds, n), dtype=bool), np.empty(2)
    for model in range(2):
        own = np.sqrt(share) * rng.normal(size=clustered.max() + 1)[clustered]
        if scenario.folds > 1:
            common = rng.normal() / np.sqrt(scenario.folds)
            each = rng.normal(size=scenario.folds) * np.sqrt(1 - 1 / scenario.folds)
            trained = shift * (common + each)[_fold_numbers(scenario, n)][None, :]
        else:
            trained = shift * rng.normal(size=(scenario.seeds, 1))
        noise = rng.normal(size=(scenario.seeds, n)) * np.sqrt(0.5 * (1 - share))
        right[model] = cut + trained + difficulty + own + noise > 0
        truth[model] = norm.cdf(cut + trained).mean() if scenario.trained else scenario.accuracy
    return right, truth


def _fold_numbers(scenario: Scenario, n: int) -> Integers:
    return np.arange(n) % scenario.folds


class _Stub(SimpleNamespace):
    """Stands for a model of which `pair_test` asks name, folds and the size of its parts."""


def outcomes_of(scenario: Scenario, groups: Integers, right: NDArray[np.bool_]) -> Outcomes:
    """The table of who is right, for replicates times two models in one go."""
    n = len(groups)
    stub = _Stub(
        model="m", ranked=True, test_to_train=1 / max(scenario.folds - 1, 4),
        members=[SimpleNamespace(fold=fold) for fold in range(scenario.folds)],
    )  # fmt: skip
    yes = right.reshape(-1, *right.shape[2:]).astype(np.float32)
    return Outcomes(
        models=cast(Any, [stub] * len(yes)),
        fold=_fold_numbers(scenario, n),
        image=np.arange(n),
        group=groups,
        right=list(yes),
        wrong=list(1 - yes),
        mean=yes.mean(axis=1).astype(np.float64),
    )


def measure(scenario: Scenario, replicates: int, seed: int) -> dict[str, float | str]:
    """Coverage, mean width in points and Type I error of one scenario."""
    rng = np.random.default_rng(seed)
    groups = group_numbers(scenario, rng)
    drawn = [simulate(scenario, groups, rng) for _ in range(replicates)]
    right, truth = np.array([r for r, _ in drawn]), np.array([t for _, t in drawn])
    covered, width, different, abstained = [], [], [], False
    outcomes = outcomes_of(scenario, groups, right)
    folds = frozenset(range(scenario.folds))
    draws = draw(outcomes, folds, HOW.resamples, SWAPS, HOW.seed)
    for r in range(replicates):
        low, high = interval(scenario, groups, right[r, 0])
        covered.append(low <= truth[r, 0] <= high)
        width.append(high - low)
        row = pair_test(outcomes, 2 * r, 2 * r + 1, folds, draws, HOW).row
        abstained |= row["test"] == TOO_FEW_FOLDS
        verdict = float(str(row["p"])) < HOW.alpha
        if scenario.runs and verdict:
            verdict = holds_along_files(right[r].mean(axis=1))
        different.append(verdict)
    few = effective_groups(groups) < MIN_GROUPS
    if scenario.trained and scenario.spread:
        return _row(covered, width, [], "says “these trained models”")
    verdict_words = "abstains" if abstained or few else "decides"
    return _row(covered, width, different, verdict_words)


def interval(scenario: Scenario, groups: Integers, right: NDArray[np.bool_]) -> tuple[float, float]:
    """The interval of accuracy that the comparison prints."""
    fold = _fold_numbers(scenario, len(groups))
    by_fold = np.array([right[:, fold == f].mean() for f in range(scenario.folds)])
    over_images = proportion_interval(right.mean(axis=0), groups)
    share = 1 / max(scenario.folds - 1, 4)
    shared = shared_by_seeds(right.mean(axis=0), len(right))
    found = joined(by_fold, over_images, right.mean(axis=1).tolist(), share, shared)
    if scenario.runs:
        order = np.arange(len(groups))
        wide = [
            proportion_interval(right.mean(axis=0), runs_of(order, 0 * order, n)) for n in LENGTHS
        ]
        return min(i.low for i in wide), max(i.high for i in wide)
    return found.low, found.high


def holds_along_files(values: Array) -> bool:
    """Whether a difference stays where runs of neighbouring files are swapped whole."""
    order = np.arange(values.shape[1])
    labels = 0 * order
    p = holm(np.array([dependence_p(row, labels, 199) for row in values]))
    if p.min() >= HOW.alpha:
        return True
    gap = float((values[0] - values[1]).sum())
    for length in LENGTHS:
        swapped = swapped_sums(values, runs_of(order, labels, length), SWAPS, 0)
        if swap_p(swapped[:, 0], swapped[:, 1], gap) >= HOW.alpha:
            return False
    return True


def _row(
    covered: Sequence[bool], width: Sequence[float], different: Sequence[bool], verdict: str
) -> dict[str, float | str]:
    return {
        "coverage": float(np.mean(covered)),
        "width": 100 * float(np.mean(width)),
        "type_1": float(np.mean(different)) if different else float("nan"),
        "verdict": verdict,
    }


def passes(row: dict[str, float | str], slack: float = 0.0) -> bool:
    """Whether a row keeps the promise; `slack` is what the number of replicates leaves open."""
    if row["verdict"] == "abstains":
        return True
    coverage, type_1 = float(row["coverage"]), float(row["type_1"])
    low, high = COVERAGE
    return low - slack <= coverage <= high + slack and not type_1 > TYPE_1 + slack


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a scenario does not keep the promise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few replicates, under a minute")
    parser.add_argument("--replicates", type=int, help="simulated runs a row (1000; quick 100)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    replicates = given.replicates or (100 if given.quick else 1000)
    slack = 3 * (0.05 * 0.95 / replicates) ** 0.5
    print("| scenario | coverage | width | Type I error | verdict | |")
    print("|---|--:|--:|--:|---|---|")
    failed = 0
    for scenario in scenarios():
        row = measure(scenario, replicates, given.seed)
        kept = passes(row, slack)
        failed += not kept
        error = "" if np.isnan(float(row["type_1"])) else f"{100 * float(row['type_1']):.1f} %"
        print(
            f"| {scenario.name} | {100 * float(row['coverage']):.1f} % | {row['width']:.1f} points | "
            f"{error} | {row['verdict']} | {'' if kept else 'outside'} |",
            flush=True,
        )
    print(
        f"\n{replicates} simulated runs a row, accuracy {100 * ACCURACY:g} % where no other is named; a "
        f"row is outside where chance alone ({100 * slack:.1f} points) does not explain it."
    )
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
