"""A reference model without a network: extremely randomised trees on colour histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leukbench.models.registry import ModelSpec

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

SPEC = ModelSpec(
    name="colour_histogram_trees",
    title="Colour-histogram trees",
    family="reference",
    target="leukbench.models.histogram_trees:build",
    reference="Geurts et al. 2006, doi:10.1007/s10994-006-6226-1",
    framework="sklearn",
    recipe="300 extremely randomised trees on a 32-bin histogram of each channel.",
)


def build(random_state: Any = None, n_estimators: int = 300) -> Pipeline:
    """Trees on histograms, grown on one core so that sums of probabilities have one order."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.pipeline import make_pipeline

    from leukbench.models.features import ColourHistogram

    trees = ExtraTreesClassifier(n_estimators=n_estimators, random_state=random_state)
    return make_pipeline(ColourHistogram(bins=32), trees)
