"""The key of a trial stays what it was: results that are committed are found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukbench.data.dataset import Dataset, ImageRecord
from leukbench.models import registry
from leukbench.protocol import override
from leukbench.runfolder import RunFolder
from leukbench.trials.plan import TrialPlan, plan_trials

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def run() -> RunFolder:
    if not (RESULTS / "all-pbs-paper").is_dir():
        pytest.skip("no committed results beside the tests")
    return RunFolder(RESULTS / "all-pbs-paper")


def plans_again(run: RunFolder, precision: str) -> dict[tuple[str, int, int], TrialPlan]:
    """Plans of all models and probes on the images that a split names."""
    rows = run.split.sort_values("image")
    images = tuple(
        ImageRecord(image, label, digest)
        for image, label, digest in zip(rows["image"], rows["label"], rows["sha256"], strict=True)
    )
    dataset = Dataset("all-pbs", Path(), images)
    plans = plan_trials(
        override(run.run.protocol, training__precision=precision),
        dataset,
        run.split,
        [*registry.specs(), *registry.probes()],
        seeds=(0, 1, 2, 3, 4),
        folds=(0,),
    )
    return {(plan.model, plan.fold, plan.seed): plan for plan in plans}


def test_keys_of_committed_trials_are_planned_again(run: RunFolder) -> None:
    again = {name: plans_again(run, name) for name in ("float32", "mixed_bfloat16")}
    for record in run.records:
        plan = again[record.precision or "float32"][record.model, record.fold, record.seed]
        assert plan.identity == record.identity
        assert plan.key == record.key


def test_probes_have_one_trial_a_fold_and_no_preprocessing(run: RunFolder) -> None:
    plans = [plan for plan in plans_again(run, "float32").values() if plan.kind == "probe"]
    assert [plan.model for plan in plans] == [spec.name for spec in registry.probes()]
    for plan in plans:
        assert (plan.seed, plan.parameters, plan.identity["parameters"]) == (0, {}, {})
        assert plan.identity["adapter_version"] == 1
        assert "preprocessing" not in plan.identity
