"""Shortcut probes: how far a classifier gets that never looks at a leukocyte.

Each reads a few numbers of the original image (`leukbench.data.shortcuts`) and is trained and tested
on the split of the models. Where one comes near the best model, the images can be told apart without
what the models are meant to look at. The control with shuffled labels must fall to chance: where it
does not, the split or the scoring leaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from leukbench.models.registry import ModelSpec

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.tree import DecisionTreeClassifier

    from leukbench.models.estimators import ShuffledLabels

_TREES = "Geurts et al. 2006, doi:10.1007/s10994-006-6226-1"
_NEIGHBOURS = "Fix and Hodges 1951, Discriminatory Analysis"
_ONE_TREE = "Breiman et al. 1984, Classification and Regression Trees"


def _spec(
    name: str, title: str, reads: str, factory: str, reference: str, recipe: str
) -> ModelSpec:
    target = f"leukbench.models.shortcut_probes:{factory}"
    return ModelSpec(
        name, title, "probe", target, reference, "sklearn", recipe, reads=reads, deterministic=True
    )


SPECS = (
    _spec(
        "probe_colour", "Probe: mean and spread of colour", "colour", "neighbours", _NEIGHBOURS,
        "5 nearest neighbours on mean and standard deviation of red, green and blue, scaled.",
    ),
    _spec(
        "probe_corner", "Probe: lower right corner", "corner", "trees", _TREES,
        "100 extremely randomised trees on the lower right corner, 8 by 8 pixels.",
    ),
    _spec(
        "probe_corners", "Probe: all four corners", "corners", "trees", _TREES,
        "100 extremely randomised trees on the four corners, 8 by 8 pixels each.",
    ),
    _spec(
        "probe_size", "Probe: image size", "size", "one_tree", _ONE_TREE,
        "A decision tree on width and height of the image; the majority class where all are equal.",
    ),
    _spec(
        "probe_background", "Probe: background without leukocytes", "background", "trees", _TREES,
        "100 extremely randomised trees on colour histograms of what is left without leukocytes.",
    ),
    _spec(
        "probe_shuffled", "Control: colour with shuffled labels", "colour", "shuffled", _NEIGHBOURS,
        "As the probe of colour, fitted to shuffled labels.",
    ),
)  # fmt: skip


def neighbours(random_state: int = 0) -> Pipeline:
    """Five nearest neighbours on scaled features; the seed changes nothing."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), KNeighborsClassifier(n_neighbors=5))


def trees(random_state: int = 0) -> ExtraTreesClassifier:
    """A hundred extremely randomised trees, grown on one core."""
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(n_estimators=100, random_state=random_state, n_jobs=1)


def one_tree(random_state: int = 0) -> DecisionTreeClassifier:
    """A decision tree."""
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(random_state=random_state)


def shuffled(random_state: int = 0) -> ShuffledLabels:
    """`neighbours` on shuffled labels."""
    from leukbench.models.estimators import ShuffledLabels

    return ShuffledLabels(neighbours(), seed=random_state)
