"""The effect of partners in training is taken within classes; controls show none."""

from __future__ import annotations

import numpy as np
import pytest

from leukbench.score.leakage import failing_controls, leakage_effects
from tests.score.made import frame, trial

TRUTH = ["Benign"] * 200 + ["Pro"] * 200
# the hard class has few partners, the easy one many
PARTNER = np.concatenate([np.arange(200) < 40, np.arange(200) < 160])
IMAGES = [f"{i:05d}.jpg" for i in range(400)]


def predicted(right: np.ndarray, **more: str):  # type: ignore[no-untyped-def]
    called = [t if r else "Early" for t, r in zip(TRUTH, right, strict=True)]
    return trial(frame(TRUTH, called), more.pop("model", "m"), **more)  # type: ignore[arg-type]


def partners() -> dict[int, list[str]]:
    return {0: [image for image, has in zip(IMAGES, PARTNER, strict=True) if has]}


def test_a_difference_of_class_mix_is_no_leakage() -> None:
    """60 % of one class and 95 % of the other right, with a partner or not."""
    rng = np.random.default_rng(0)
    right = rng.random(400) < np.where(np.arange(400) < 200, 0.6, 0.95)
    row = leakage_effects([predicted(right)], partners()).iloc[0]
    assert row["raw"] > 0.15
    assert abs(row["difference"]) < 0.08
    assert row["low"] < 0 < row["high"]
    assert row["images"] == 400


def test_an_effect_within_the_classes_is_found_by_hand() -> None:
    right = np.where(PARTNER, np.arange(400) % 10 > 0, np.arange(400) % 10 > 2)
    row = leakage_effects([predicted(right)], partners()).iloc[0]
    assert row["difference"] == pytest.approx(0.2)
    # four cells of 40, 160, 160, 40 images, each class weighing one half
    variance = 0.25 * (0.09 / 40 + 0.21 / 160 + 0.09 / 160 + 0.21 / 40)
    assert row["high"] - row["difference"] == pytest.approx(1.966 * np.sqrt(variance), rel=0.01)


def test_groups_widen_the_interval_and_the_level_is_kept() -> None:
    rng = np.random.default_rng(1)
    groups = {image: f"g{i // 5}" for i, image in enumerate(IMAGES)}
    outside = 0
    for _ in range(200):
        right = np.repeat(rng.random(80) < 0.8, 5)
        row = leakage_effects([predicted(right)], partners(), groups).iloc[0]
        outside += not row["low"] <= 0 <= row["high"]
    assert outside / 200 < 0.09


def test_a_few_perfect_images_are_no_certainty() -> None:
    few = {0: [*IMAGES[:3], *IMAGES[200:203]]}
    right = np.where(np.isin(IMAGES, few[0]), True, np.arange(400) % 10 > 0)
    row = leakage_effects([predicted(right)], few).iloc[0]
    assert row["difference"] == pytest.approx(0.1, abs=0.01)
    assert row["low"] < 0


def test_the_majority_control_shows_nothing_class_by_class() -> None:
    majority = predicted(np.arange(400) >= 200, model="control_majority", family="control")
    effects = leakage_effects([majority], partners())
    assert effects["raw"].item() > 0.5
    assert effects["difference"].item() == 0.0
    assert failing_controls(effects) == []
    odd = predicted(PARTNER, model="probe_shuffled", family="probe")
    assert failing_controls(leakage_effects([odd], partners())) == ["probe_shuffled"]


def test_without_a_class_that_has_both_kinds_there_is_nothing_to_compare() -> None:
    right = np.ones(400, dtype=bool)
    assert leakage_effects([predicted(right)], {0: IMAGES[:200]}).empty
    assert leakage_effects([predicted(right)], {1: IMAGES}).empty
