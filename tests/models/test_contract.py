"""Every registered model keeps the contract; a model that does not is told how."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from leukbench.models import registry
from leukbench.models.registry import ModelSpec
from leukbench.models.testing import check_model

NOT_NATIVE = [spec for spec in registry.specs() if not spec.native]


@pytest.fixture
def quick(monkeypatch):
    """Fewer and narrower layers, and no tracing of graphs, which takes longer than the work."""
    from leukbench.models import alexnet, mobilenet, resnet, vgg

    monkeypatch.setattr(alexnet, "HIDDEN", 32)
    monkeypatch.setattr(vgg, "HIDDEN", 32)
    monkeypatch.setattr(vgg, "WIDTHS", (8, 8, 16, 16, 16))
    monkeypatch.setattr(resnet, "WIDTHS", (16, 32))
    once = tuple((t, c, 1, s) for t, c, n, s in mobilenet.STAGES)
    monkeypatch.setattr(mobilenet, "STAGES", once)
    tensorflow = pytest.importorskip("tensorflow")
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    "spec", [spec for spec in NOT_NATIVE if spec.framework == "sklearn"], ids=lambda spec: spec.name
)
def test_every_classical_model_keeps_the_contract(spec):
    assert [result for result in check_model(spec) if not result.ok] == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")  # of `quick`
@pytest.mark.parametrize(
    "spec", [spec for spec in NOT_NATIVE if spec.framework == "keras"], ids=lambda spec: spec.name
)
def test_every_network_keeps_the_contract(quick, spec):
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


@pytest.mark.parametrize(("fault", "check"), list(FAULTS.items()))
def test_a_fault_is_found_and_named(fault, check):
    failed = [result for result in check_model(rogue_spec(fault)) if not result.ok]
    assert any(check in result.name for result in failed)
    assert all(result.detail for result in failed)


def test_an_honest_rogue_passes():
    globals()["make_none"] = lambda random_state=None: Rogue("", random_state)
    assert all(result.ok for result in check_model(rogue_spec("none")))
