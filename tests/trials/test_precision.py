"""``auto`` follows what was measured on the machine, and the measurement is kept."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from leukbench.errors import UsageError
from leukbench.models import registry
from leukbench.models.registry import ModelSpec
from leukbench.trials import precision


@pytest.mark.parametrize(
    ("speedups", "vgg", "mobilenet"),
    [
        ({"dense": 2.5, "depthwise": 0.6}, "mixed_bfloat16", "float32"),
        ({"dense": 1.0, "depthwise": 1.5}, "float32", "mixed_bfloat16"),
        ({}, "float32", "float32"),
    ],
)
def test_auto_takes_what_is_faster(
    monkeypatch: pytest.MonkeyPatch, speedups: Mapping[str, float], vgg: str, mobilenet: str
) -> None:
    monkeypatch.setattr(precision, "bfloat16_speedups", lambda: speedups)
    assert precision.resolve_precision(registry.get("vgg16"), "auto") == vgg
    assert precision.resolve_precision(registry.get("mobilenet_v2"), "auto") == mobilenet
    assert precision.resolve_precision(registry.get("mobilenet_v2"), "float32") == "float32"
    assert precision.resolve_precision(registry.get("svm_rbf"), "auto") == ""


def test_measured_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LEUKBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(precision, "has_bfloat16_units", lambda: True)
    calls = []

    def measured() -> dict[str, float]:
        calls.append(1)
        return {"dense": 2.0, "depthwise": 0.5}

    monkeypatch.setattr(precision, "_measure_in_child", measured)
    for _ in range(2):
        precision.bfloat16_speedups.cache_clear()
        found = precision.bfloat16_speedups()
        assert (found["dense"], found["depthwise"]) == (2.0, 0.5)
    precision.bfloat16_speedups.cache_clear()
    assert calls == [1]
    (stored,) = tmp_path.glob("bfloat16-*.json")
    assert json.loads(stored.read_text()) == {"dense": 2.0, "depthwise": 0.5}
    stored.write_text("{")  # cut off: it is measured again
    assert precision.stored_speedups() == {}


def test_nothing_is_measured_without_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16_units", lambda: False)
    monkeypatch.setattr(precision, "_measure_in_child", lambda: pytest.fail("measured"))
    precision.bfloat16_speedups.cache_clear()
    assert precision.bfloat16_speedups() == {}
    precision.bfloat16_speedups.cache_clear()


@pytest.mark.slow
def test_the_measurement_gives_a_ratio_for_each_kind() -> None:
    found = precision._measure_in_child()
    assert set(found) == {*precision.KINDS, precision.OTHERS}
    assert all(found[kind] > 0 for kind in precision.KINDS)
    assert 0 <= found[precision.OTHERS] <= 1


@pytest.mark.parametrize(
    ("shares", "taken", "rounds"),
    [((0.02,), 0.02, 1), ((0.6, 0.05), 0.05, 2), ((0.9, 0.3, 0.5), 0.3, 3)],
)
def test_a_measurement_beside_other_programs_is_made_again(
    monkeypatch: pytest.MonkeyPatch, shares: tuple[float, ...], taken: float, rounds: int
) -> None:
    coming = iter(shares)
    monkeypatch.setattr(precision.Load, "others", lambda self: next(coming))
    made = []

    def work() -> dict[str, float]:
        made.append(1)
        return {"dense": float(len(made)), "depthwise": 1.0}

    found = precision._quietest(work)
    assert found["others"] == taken
    assert found["dense"] == shares.index(taken) + 1  # of the same round
    assert len(made) == rounds
    said = precision.describe_speedups(found)
    assert ("idle machine" in said) == (taken > precision.QUIET)


def test_the_load_of_other_programs_is_seen() -> None:
    burn = [sys.executable, "-c", "while True: pass"]
    programs = [subprocess.Popen(burn) for _ in range(precision.available_cores())]
    try:
        load = precision.Load()
        time.sleep(1.5)
        assert load.others() > precision.QUIET
    finally:
        for program in programs:
            program.kill()
            program.wait()


def test_own_work_is_no_load_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([(100.0, 50.0, 7.0), (103.0, 51.0, 10.0)])  # busy, idle, own
    monkeypatch.setattr(precision.Load, "_now", staticmethod(lambda: next(seconds)))
    assert precision.Load().others() == 0.0


def test_kernels_are_checked() -> None:
    spec = registry.get("vgg16")
    with pytest.raises(UsageError, match="dense or depthwise"):
        ModelSpec(
            name="x", title="x", family="deep", target=spec.target, reference="x",
            framework="keras", recipe="x.", kernels="sparse",  # type: ignore[arg-type]
        )  # fmt: skip
