"""The key of a trial stays what it was: results that are committed are found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukbench.data.dataset import Dataset, ImageRecord
from leukbench.errors import UsageError
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


def dataset_of(run: RunFolder) -> Dataset:
    """The images that a split names."""
    rows = run.split.sort_values("image")
    images = tuple(
        ImageRecord(image, label, digest)
        for image, label, digest in zip(rows["image"], rows["label"], rows["sha256"], strict=True)
    )
    return Dataset("all-pbs", Path(), images)


def plans_again(run: RunFolder, precision: str) -> dict[tuple[str, int, int], TrialPlan]:
    """Plans of all models and probes on the images that a split names."""
    plans = plan_trials(
        override(run.run.protocol, training__precision=precision),
        dataset_of(run),
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


def test_a_changed_option_is_part_of_the_key_of_its_model_alone(run: RunFolder) -> None:
    def plans(**options: float) -> dict[str, TrialPlan]:
        protocol = override(run.run.protocol, options={"modified_cnn": options} if options else {})
        specs = [registry.get(name) for name in ("modified_cnn", "svm_rbf")]
        planned = plan_trials(protocol, dataset_of(run), run.split, specs, seeds=(0,), folds=(0,))
        return {plan.model: plan for plan in planned}

    plain, recipe, dropout = plans(), plans(dropout=0.0), plans(dropout=0.25)
    assert dropout["modified_cnn"].parameters["dropout"] == 0.25
    assert dropout["modified_cnn"].key != plain["modified_cnn"].key == recipe["modified_cnn"].key
    assert dropout["svm_rbf"].key == plain["svm_rbf"].key
    with pytest.raises(UsageError, match="no model 'modified_cn'"):
        bad = override(run.run.protocol, options={"modified_cn": {"dropout": 0.5}})
        plan_trials(bad, dataset_of(run), run.split, [], seeds=(0,), folds=(0,))
