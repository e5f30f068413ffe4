"""How trials share the cores of this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from leukbench.errors import UsageError
from leukbench.models import registry
from leukbench.protocol import Preprocessing
from leukbench.trials import limits as sharing
from leukbench.trials.estimate import CORES, Cost
from leukbench.trials.limits import choose_jobs, limits_of, longest_first, makespan

PLENTY = 1e6
PAPER = ("modified_cnn", "vgg16", "vgg19", "alexnet", "googlenet", "mobilenet_v2", "svm_rbf")


def costs(
    *seconds: float | None, serial_share: float = 0.1, memory_mb: float = 100.0
) -> list[Cost]:
    return [Cost(value, serial_share, memory_mb) for value in seconds]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "available_cores", lambda: 2)
    monkeypatch.setattr(sharing, "total_memory_mb", lambda: 24 * 1024.0)


def prepared(out: Path, models: Sequence[str], seeds: int = 1, images: int = 2604) -> Any:
    plans = [
        SimpleNamespace(
            key=f"{name}-{seed}", model=name, kind=name, fold=0, seed=seed,
            framework=registry.get(name).framework if name in registry.names() else "keras",
            parameters={} if name == "svm_rbf" else {"epochs": 30, "batch_size": 64},
        )
        for name in models
        for seed in range(seeds)
    ]  # fmt: skip
    split = pd.DataFrame({"fold": 0, "part": ["train"] * images})
    return SimpleNamespace(out=out, plans=plans, split=split)


def options(size: int = 50, **given: Any) -> Any:
    usual = {"jobs": None, "threads": None, "timeout": None, "memory_mb": None}
    usual |= {"scheduler": None, "fresh": False}
    protocol = SimpleNamespace(preprocessing=Preprocessing(size=size))
    return SimpleNamespace(protocol=protocol, **(usual | given))


def test_trials_of_equal_length_go_side_by_side_and_one_alone_gets_all_cores() -> None:
    assert choose_jobs(costs(60), 2, PLENTY) == 1
    assert choose_jobs(costs(60, 60), 2, PLENTY) == 2
    assert choose_jobs(costs(60, 60, 60, 60), 4, PLENTY) == 4
    assert choose_jobs(costs(60, 60, 60), 2, PLENTY) == 1, "the third would leave a core idle"
    assert choose_jobs(costs(60, 60, 60, serial_share=0.6), 2, PLENTY) == 2


def test_one_long_trial_is_not_left_on_one_core_for_short_ones_beside_it() -> None:
    assert choose_jobs(costs(600, 1, 1, 1), 2, PLENTY) == 1
    assert choose_jobs(costs(600, 500, 400, 300, 1, serial_share=0.2), 2, PLENTY) == 2


def test_trials_of_which_nothing_is_known_count_as_the_others() -> None:
    assert choose_jobs(costs(None, None), 2, PLENTY) == 2
    assert choose_jobs(costs(30, None), 2, PLENTY) == 2
    assert choose_jobs(costs(None), 2, PLENTY) == 1


def test_no_more_go_side_by_side_than_memory_and_cores_allow() -> None:
    big = costs(60, 60, 60, 60, memory_mb=5000)
    assert choose_jobs(big, 4, 21_000) == 4
    assert choose_jobs(big, 4, 11_000) == 2
    assert choose_jobs(big, 4, 9_000) == 1
    assert choose_jobs(big, 4, 9_000, most_mb=2_000) == 4, "--memory bounds each"
    assert choose_jobs(big, 4, PLENTY, threads=2) == 2
    assert choose_jobs(big, 4, PLENTY, threads=9) == 1


def test_the_choice_is_the_best_of_all_that_are_possible() -> None:
    for seconds in ([500, 400, 300, 200, 100], [50] * 7, [900, 10, 10, 10]):
        for share in (0.0, 0.2, 0.7):
            all_costs = costs(*seconds, serial_share=share)
            ends = {jobs: makespan(all_costs, jobs, 8 // jobs) for jobs in range(1, 9)}
            assert ends[choose_jobs(all_costs, 8, PLENTY)] <= min(ends.values())


def test_a_core_more_shortens_what_is_not_serial() -> None:
    half = Cost(60.0, 0.5, 0.0)
    assert half.seconds_on(CORES, 0.0) == 60.0
    assert half.seconds_on(1, 0.0) == pytest.approx(80.0)
    assert half.seconds_on(10**9, 0.0) == pytest.approx(40.0)


def test_a_run_of_the_paper_goes_side_by_side_with_the_longest_first(tmp_path: Path) -> None:
    run = prepared(tmp_path, PAPER, seeds=2)
    limits = limits_of(options(), run)
    assert (limits.jobs, limits.threads, limits.reason) == (2, 1, "which ends soonest")
    order = [(plan.model, plan.seed) for plan in longest_first(run.plans, run, options())]
    assert order[:4] == [("vgg19", 0), ("vgg19", 1), ("vgg16", 0), ("vgg16", 1)]
    assert order[-4:-2] == [("modified_cnn", 0), ("modified_cnn", 1)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"jobs": 1}, (1, 2)),
        ({"jobs": 2}, (2, 1)),
        ({"jobs": 3}, (3, 1)),
        ({"jobs": 2, "threads": 2}, (2, 2)),
        ({"threads": 1}, (2, 1)),
        ({"threads": 2}, (1, 2)),
        ({"timeout": 60.0}, (1, 2)),
        ({"scheduler": "tcp://host:8786"}, (1, 2)),
    ],
)
def test_what_the_user_says_holds(
    tmp_path: Path, given: dict[str, Any], expected: tuple[int, int]
) -> None:
    limits = limits_of(options(**given), prepared(tmp_path, PAPER))
    assert (limits.jobs, limits.threads) == expected


@pytest.mark.parametrize("name", ["jobs", "threads"])
def test_less_than_one_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} 0 does not fit"):
        limits_of(options(**{name: 0}), prepared(tmp_path, PAPER))


def test_large_images_that_do_not_fit_side_by_side_go_one_after_another(tmp_path: Path) -> None:
    run = prepared(tmp_path, ("vgg16", "vgg19"), seeds=2)
    assert limits_of(options(size=50), run).jobs == 2
    assert limits_of(options(size=224), run).jobs == 1
    own = prepared(tmp_path, ("network_of_a_plug_in",), seeds=2)
    assert limits_of(options(size=50), own).jobs == 2
    assert limits_of(options(size=224), own).jobs == 1


def test_a_run_folder_keeps_the_cores_of_its_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "machine_id", lambda: "this")
    record = {
        "leukbench_version": "0.1.0", "key": "k", "identity": {}, "model": "vgg16", "title": "VGG-16",
        "family": "deep", "fold": 0, "seed": 0, "status": "ok", "threads": 2,
    }  # fmt: skip
    run = prepared(tmp_path, PAPER)

    def found(**changes: Any) -> tuple[int, int]:
        path = tmp_path / "trials" / "k" / "record.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record | {"machine": "this"} | changes), encoding="utf-8")
        limits = limits_of(options(), run)
        return limits.jobs, limits.threads

    assert found() == (1, 2)
    assert limits_of(options(), run).reason == "as in this run folder before"
    assert found(threads=1) == (2, 1)
    assert found(machine="another") == (2, 1)
    assert found(family="probe") == (2, 1)
    assert limits_of(options(fresh=True), run).jobs == 2
