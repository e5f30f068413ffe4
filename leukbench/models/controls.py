"""Controls: what a model must beat before its accuracy means anything."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from leukbench.models.registry import ModelSpec

if TYPE_CHECKING:
    from sklearn.dummy import DummyClassifier
    from sklearn.pipeline import Pipeline

_spec = partial(ModelSpec, family="control", framework="sklearn")

SPECS = (
    _spec(
        name="control_majority",
        title="Control: majority class",
        target="leukbench.models.controls:majority",
        reference="sklearn.dummy.DummyClassifier",
        recipe="The most frequent class of the training images; class shares as probabilities.",
    ),
    _spec(
        name="control_stratified_random",
        title="Control: stratified random",
        target="leukbench.models.controls:stratified_random",
        reference="sklearn.dummy.DummyClassifier",
        recipe="Classes drawn at random in the shares of the training images.",
    ),
    _spec(
        name="control_two_numbers",
        title="Control: mean and standard deviation",
        target="leukbench.models.controls:two_numbers",
        reference="Fix and Hodges 1951, Discriminatory Analysis",
        recipe="5 nearest neighbours on two numbers: mean and standard deviation of all values of "
        "the image, scaled to unit variance.",
    ),
)


def majority(random_state: Any = None) -> DummyClassifier:
    """The most frequent class; the seed changes nothing."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def stratified_random(random_state: Any = None) -> DummyClassifier:
    """Random classes in the shares of the training images."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="stratified", random_state=random_state)


def two_numbers(random_state: Any = None) -> Pipeline:
    """Nearest neighbours on two numbers an image; the seed changes nothing."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from leukbench.models.features import MeanAndSpread

    return make_pipeline(MeanAndSpread(), StandardScaler(), KNeighborsClassifier(5))
