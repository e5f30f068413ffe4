"""Multiverses whose trials are not trained: accuracies of a known truth, written as trials write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from leukbench.records import Outcome
from leukbench.trials.plan import TrialPlan
from leukbench.trials.store import RunStore
from tests.conftest import draw_image

CLASSES = ("Benign", "Early", "Pre")
IMAGES = 20
"""Of each class; a fifth of all is tested."""
TESTED = 12
MODELS = ("modified_cnn", "random_forest")
DEFINITION = """name = "tiny"
protocol = "base.toml"
models = ["modified_cnn", "random_forest"]
seeds = [0, 1]

[copies]
first = "A"
second = "B"

[vary]
"preprocessing.colour" = ["grey", "rgb"]
"options.modified_cnn.dropout" = [0.0, 0.25]
"split.policy" = ["paper", "stratified"]

[published]
model = "modified_cnn"
correct = 99
total = 100
source = "made up"
"""
PROTOCOL = """name = "base"
[preprocessing]
size = 16
median_kernel = 0
[training]
epochs = 2
precision = "float32"
[audit]
allow_duplicates_across_split = true
"""


def write_images(root: Path) -> Path:
    """Two copies of as many images, of other content, and the protocol and the definition beside them."""
    generator = np.random.default_rng(3)
    for copy in ("A", "B"):
        for label in CLASSES:
            folder = root / "data" / copy / label
            folder.mkdir(parents=True)
            for number in range(IMAGES):
                image = draw_image(generator, int(generator.integers(40, 200)), 24, 24)
                cv2.imwrite(str(folder / f"{number:02d}.png"), image)
    (root / "base.toml").write_text(PROTOCOL, encoding="utf-8")
    (root / "tiny.toml").write_text(DEFINITION, encoding="utf-8")
    return root


def arguments(work: Path, out: str, *more: str, definition: str = "tiny.toml") -> list[str]:
    return [
        "multiverse", str(work / definition), "--data", str(work / "data"),
        "--out", str(work / out), *more,
    ]  # fmt: skip


def right_answers(plan: TrialPlan) -> int:
    """How many of the 12 test images a trial has right: what the tests know."""
    colour = plan.identity["preprocessing"]["colour"]
    if plan.model == "random_forest":
        return 9 if colour == "rgb" else 5
    dropout = plan.identity["parameters"].get("dropout", 0.0)
    return 6 + 2 * (colour == "rgb") + 3 * (dropout == 0.25) - plan.seed


class FakeTrials:
    """Stands for `leukbench.trials.local.run_trials`; `trained` are the trials, in their order.

    After so many trials as `interrupt_after` says it is interrupted; `fails` says which trials fail.
    """

    def __init__(
        self,
        right: Callable[[TrialPlan], int] = right_answers,
        *,
        interrupt_after: int | None = None,
        fails: Callable[[TrialPlan], bool] = lambda plan: False,
    ) -> None:
        self.right, self.fails, self.interrupt_after = right, fails, interrupt_after
        self.trained: list[str] = []

    def __call__(
        self,
        plans: Sequence[TrialPlan],
        store: RunStore,
        inputs: Any,
        limits: Any,
        reporter: Any,
        *,
        save_models: bool = False,
    ) -> None:
        for plan in plans:
            if len(self.trained) == self.interrupt_after:
                raise KeyboardInterrupt
            self.trained.append(plan.key)
            workdir = store.work(plan.key)
            outcome = Outcome(status="failed", reason="it was to fail")
            if not self.fails(plan):
                frame = self._predictions(plan, inputs)
                frame.to_parquet(workdir / "predictions.parquet", index=False)
                outcome = Outcome(status="ok", n_train=48, n_test=len(frame))
            store.keep(plan, outcome, workdir, datetime.now(UTC))

    def _predictions(self, plan: TrialPlan, inputs: Any) -> pd.DataFrame:
        with np.load(inputs.folds[plan.fold]) as fold:
            images, truth = fold["paths"][fold["test"]], fold["labels"][fold["test"]]
        assert len(images) == TESTED
        position = np.searchsorted(CLASSES, truth)
        wrong = np.arange(TESTED) >= self.right(plan)
        predicted = np.array(CLASSES)[(position + wrong) % len(CLASSES)]
        frame = pd.DataFrame({"image": images, "y_true": truth, "y_pred": predicted})
        for name in CLASSES:
            frame[f"p_{name}"] = (predicted == name).astype(float)
        return frame
