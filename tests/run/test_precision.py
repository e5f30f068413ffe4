"""``auto`` follows what was measured on the machine, and the measurement is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from leukbench.errors import UsageError
from leukbench.models import registry
from leukbench.models.registry import ModelSpec
from leukbench.run import calibrate, precision


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
    monkeypatch.setattr(calibrate, "has_bfloat16_units", lambda: True)
    calls = []

    def measured() -> dict[str, float]:
        calls.append(1)
        return {"dense": 2.0, "depthwise": 0.5}

    monkeypatch.setattr(calibrate, "_measure_in_child", measured)
    for _ in range(2):
        calibrate.bfloat16_speedups.cache_clear()
        assert calibrate.bfloat16_speedups() == {"dense": 2.0, "depthwise": 0.5}
    calibrate.bfloat16_speedups.cache_clear()
    assert calls == [1]
    (stored,) = tmp_path.glob("bfloat16-*.json")
    assert json.loads(stored.read_text()) == {"dense": 2.0, "depthwise": 0.5}
    stored.write_text("{")  # cut off: it is measured again
    assert calibrate.stored_speedups() == {}


def test_nothing_is_measured_without_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "has_bfloat16_units", lambda: False)
    monkeypatch.setattr(calibrate, "_measure_in_child", lambda: pytest.fail("measured"))
    calibrate.bfloat16_speedups.cache_clear()
    assert calibrate.bfloat16_speedups() == {}
    calibrate.bfloat16_speedups.cache_clear()


@pytest.mark.slow
def test_the_measurement_gives_a_ratio_for_each_kind() -> None:
    found = calibrate._measure_in_child()
    assert set(found) == set(calibrate.KINDS)
    assert all(ratio > 0 for ratio in found.values())


def test_kernels_are_checked() -> None:
    spec = registry.get("vgg16")
    with pytest.raises(UsageError, match="dense or depthwise"):
        ModelSpec(
            name="x", title="x", family="deep", target=spec.target, reference="x",
            framework="keras", recipe="x.", kernels="sparse",  # type: ignore[arg-type]
        )  # fmt: skip
