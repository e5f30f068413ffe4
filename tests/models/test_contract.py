"""Every registered model keeps the contract; a model that does not is told how."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from leukbench.models import registry
from leukbench.models.registry import ModelSpec
from leukbench.models.testing import check_model

HEAVY = {"vgg16", "vgg19", "alexnet"}  # more than 20 M weights: a step takes seconds


def light_specs():
    for spec in registry.specs():
        if spec.native or spec.name in HEAVY:
            continue
        marks = [pytest.mark.slow] if spec.framework == "keras" else []
        yield pytest.param(spec, id=spec.name, marks=marks)


@pytest.mark.parametrize("spec", light_specs())
def test_every_model_keeps_the_contract(spec):
    assert [result for result in check_model(spec) if not result.ok] == []


class Rogue(ClassifierMixin, BaseEstimator):
    """Breaks one point of the contract, the one it is told to."""

    def __init__(self, fault="", random_state=None):
        self.fault = fault
        self.random_state = random_state

    def fit(self, X, y):
        if self.fault == "writes":
            X[0] = 0
        self.classes_ = np.unique(y)[:: -1 if self.fault == "order" else 1]
        return None if self.fault == "returns" else self

    def predict_proba(self, X):
        draw = np.random.default_rng(None if self.fault == "random" else 0)
        found = draw.random((1, len(self.classes_))).repeat(len(X), axis=0)
        return found if self.fault == "sum" else found / found.sum(axis=1, keepdims=True)

    def predict(self, X):
        worst = self.predict_proba(X).argmin(axis=1)
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[worst if self.fault == "argmax" else best]


def rogue_spec(fault):
    return ModelSpec(
        name="rogue",
        title="Rogue",
        family="control",
        target=f"{__name__}:make_{fault}",
        reference="none",
        framework="sklearn",
        recipe="None.",
    )


FAULTS = {
    "writes": "without writing",
    "order": "classes, sorted",
    "returns": "without writing",
    "random": "same predictions for the same seed",
    "sum": "sum to 1",
    "argmax": "most probable",
}
for _fault in FAULTS:
    globals()[f"make_{_fault}"] = lambda random_state=None, fault=_fault: Rogue(fault, random_state)


@pytest.mark.parametrize(("fault", "check"), FAULTS.items())
def test_a_fault_is_found_and_named(fault, check):
    failed = [result for result in check_model(rogue_spec(fault)) if not result.ok]
    assert check in failed[0].name
    assert failed[0].detail


def test_an_honest_rogue_passes():
    globals()["make_none"] = lambda random_state=None: Rogue("", random_state)
    assert all(result.ok for result in check_model(rogue_spec("none")))
