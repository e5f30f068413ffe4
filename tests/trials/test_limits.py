"""How trials share the cores of this machine, and what a dry run says that they take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leukbench.errors import UsageError
from leukbench.models import registry
from leukbench.models.registry import ModelSpec
from leukbench.protocol import Preprocessing, Protocol
from leukbench.trials import limits as module
from leukbench.trials.limits import (
    START_SECONDS,
    Limits,
    choose_jobs,
    choose_limits,
    estimates,
    longest_first,
)
from leukbench.trials.options import RunOptions
from leukbench.trials.plan import TrialPlan

PAPER = ("modified_cnn", "vgg16", "vgg19", "alexnet", "googlenet", "mobilenet_v2", "svm_rbf")
RECORD = {
    "leukbench_version": "0.1.0", "key": "k", "identity": {}, "model": "vgg16", "title": "VGG-16",
    "family": "deep", "fold": 0, "seed": 0, "status": "ok", "threads": 2, "machine": "this",
}  # fmt: skip
OWN_NETWORK = ModelSpec(
    name="own_network", title="Own", family="deep", target="json:loads", reference="none",
    framework="keras", recipe="none",
)  # fmt: skip


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    monkeypatch.setattr(module, "total_memory_mb", lambda: 24 * 1024.0)
    monkeypatch.setattr(module, "machine_id", lambda: "this")


def planned(models: Sequence[str], seeds: int = 1) -> list[TrialPlan]:
    plans = []
    for name in models:
        spec = OWN_NETWORK if name == "own_network" else registry.get(name)
        network = {"epochs": 30, "batch_size": 64} if spec.framework == "keras" else {}
        plans += [
            TrialPlan(spec, 0, seed, network, {}, key=f"{name}-{seed}") for seed in range(seeds)
        ]
    return plans


def options(size: int = 50, **given: Any) -> RunOptions:
    protocol = Protocol(name="small", preprocessing=Preprocessing(size=size))
    return RunOptions(protocol=protocol, **given)


def store(out: Path, **changes: Any) -> None:
    record = RECORD | changes
    path = out / "trials" / record["key"] / "record.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")


def jobs(models: Sequence[str], seeds: int = 1, cores: int = 2, **more: Any) -> int:
    threads = more.pop("threads", None)
    return choose_jobs(planned(models, seeds), options(**more), cores, threads)


def test_trials_of_equal_length_go_side_by_side_and_one_alone_gets_all_cores() -> None:
    assert jobs(["vgg16"]) == 1
    assert jobs(["vgg16"], seeds=2) == 2
    assert jobs(["vgg16"], seeds=4, cores=4) == 4
    assert jobs(["vgg16"], seeds=3) == 1, "the third would leave a core idle"
    assert jobs(["svm_rbf"], seeds=2) == 2


def test_one_long_trial_is_not_left_on_one_core_for_short_ones_beside_it() -> None:
    assert jobs(["vgg16", "svm_rbf", "naive_bayes", "decision_tree"]) == 1
    assert jobs(["vgg19", "modified_cnn"]) == 1, "which is longer is not known"
    assert jobs(["vgg19", "vgg16", "alexnet", "googlenet"]) == 2
    assert jobs(["vgg16", "probe_colour"], seeds=2) == 2


def test_no_more_go_side_by_side_than_memory_and_cores_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def with_memory(gib: float, **more: Any) -> int:
        monkeypatch.setattr(module, "total_memory_mb", lambda: gib * 1024)
        return jobs(["vgg16"], seeds=4, cores=4, **more)

    assert with_memory(24) == 4
    assert with_memory(6) == 2
    assert with_memory(4) == 1
    assert with_memory(4, memory_mb=700.0) == 4, "`memory_mb` bounds each"
    assert with_memory(24, threads=2) == 2
    assert with_memory(24, threads=9) == 1


def test_a_run_of_the_paper_goes_side_by_side_with_the_longest_first(tmp_path: Path) -> None:
    plans = planned(PAPER, seeds=2)
    limits = choose_limits(options(), plans, tmp_path)
    assert (limits.jobs, limits.threads) == (2, 1)
    assert limits.reason == "which is likely to end soonest"
    for model, seconds in (("vgg19", 90.0), ("vgg16", 60.0), ("modified_cnn", 5.0)):
        store(tmp_path, key=model, model=model, total_seconds=seconds)
    order = [(plan.model, plan.seed) for plan in longest_first(plans, tmp_path)]
    assert [name for name, _ in order[::2]] == [
        "alexnet", "googlenet", "mobilenet_v2", "vgg19", "vgg16", "modified_cnn", "svm_rbf",
    ]  # fmt: skip
    assert [seed for _, seed in order] == [0, 1] * len(PAPER)


def test_families_are_ordered_by_how_long_they_take(tmp_path: Path) -> None:
    names = ("probe_colour", "control_majority", "svm_rbf", "ensemble_e1", "vgg16")
    order = [plan.model for plan in longest_first(planned(names), tmp_path)]
    assert order == list(reversed(names))


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
    limits = choose_limits(options(**given), planned(PAPER), tmp_path)
    assert (limits.jobs, limits.threads) == expected
    assert limits == Limits(*expected, given.get("timeout"), None, limits.reason)


@pytest.mark.parametrize("name", ["jobs", "threads"])
def test_less_than_one_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"`{name}=0` does not fit: take a whole number from 1"):
        options(**{name: 0})


def test_large_images_that_do_not_fit_side_by_side_go_one_after_another() -> None:
    assert jobs(["vgg16", "vgg19"], seeds=2, size=50) == 2
    assert jobs(["vgg16", "vgg19"], seeds=2, size=224) == 1
    assert jobs(["vgg16_native"], seeds=2, size=50) == 1
    assert jobs(["own_network"], seeds=2, size=50) == 2
    assert jobs(["own_network"], seeds=2, size=224) == 1


def test_a_run_folder_keeps_the_cores_of_its_trials(tmp_path: Path) -> None:
    plans = planned(PAPER)

    def found(**changes: Any) -> tuple[int, int]:
        store(tmp_path, **changes)
        limits = choose_limits(options(), plans, tmp_path)
        return limits.jobs, limits.threads

    assert found() == (1, 2)
    assert choose_limits(options(), plans, tmp_path).reason == "as in this run folder before"
    assert found(threads=1) == (2, 1)
    assert found(machine="another") == (2, 1)
    assert found(family="probe") == (2, 1)
    assert choose_limits(options(fresh=True), plans, tmp_path).jobs == 2


def test_a_gpu_has_one_trial_at_a_time(tmp_path: Path) -> None:
    plans = [replace(plan, device="Fake 4000") for plan in planned(PAPER, seeds=2)]
    limits = choose_limits(options(), plans, tmp_path)
    assert limits == Limits(1, 2, None, None, "as a GPU has one trial at a time")
    store(tmp_path, threads=1)
    assert choose_limits(options(), plans, tmp_path).threads == 1, "as in this run folder"


def test_times_of_another_device_are_no_estimate(tmp_path: Path) -> None:
    (plan,) = planned(["vgg16"])
    store(tmp_path, key="other", n_train=50, epochs_run=4, fit_seconds=20.0, total_seconds=23.0)
    split = pd.DataFrame({"fold": 0, "part": ["train"] * 100})
    assert estimates([plan], split, tmp_path)[0][1] == "estimate"
    assert estimates([replace(plan, device="Fake 4000")], split, tmp_path)[0][1] == "unknown"


def test_a_dry_run_goes_by_the_finished_trials_of_the_run_folder(tmp_path: Path) -> None:
    done, waiting = planned(["vgg16"], seeds=2)
    (new,) = planned(["own_network"])
    store(
        tmp_path, key=done.key, n_train=50, epochs_run=4, fit_seconds=20.0, total_seconds=23.0
    )  # fmt: skip
    split = pd.DataFrame({"fold": 0, "part": ["train"] * 100 + ["test"] * 7})
    found = estimates([done, waiting, new], split, tmp_path)
    assert [(state, seconds) for _, state, seconds in found] == [
        ("finished", 23.0),
        ("estimate", START_SECONDS + 20.0 / (50 * 4) * 100 * 30),
        ("unknown", None),
    ]


def test_a_frozen_network_counts_as_one_that_only_predicts() -> None:
    frozen, tuned, other = planned(["efficientnet_lite0_frozen", "efficientnet_lite0", "svm_rbf"])
    needs = [module._memory_mb(plan, options()) for plan in (frozen, tuned, other)]
    assert needs[0] == module.FROZEN_MB
    assert needs[1] > needs[0] > needs[2]
