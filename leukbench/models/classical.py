"""The paper's four classical models on the Fourier spectrum and the histogram.

Keerthivasan and Saranya 2023, section 3.5. What the text leaves open is scikit-learn's default.
Features are scaled inside the pipeline, on training images only.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from leukbench.models.registry import QUOTED_IN_PAPER, ModelSpec, Published

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from leukbench.models.estimators import ProbabilisticSVM

ON_FEATURES = "On the Fourier spectrum and the 256-bin histogram, scaled to unit variance: "

_spec = partial(ModelSpec, family="classical", framework="sklearn")

SPECS = (
    _spec(
        name="svm_rbf",
        title="SVM (RBF)",
        target="leukbench.models.classical:svm_rbf",
        options={"C": 1.0},
        reference="Cortes and Vapnik 1995, doi:10.1007/BF00994018",
        recipe=ON_FEATURES + "Gaussian kernel, C 1, probabilities by temperature scaling of "
        "cross-validated decision values.",
        published=Published("73.02", "89.47", "53.12", "65.9", "66.66", source=QUOTED_IN_PAPER),
    ),
    _spec(
        name="naive_bayes",
        title="Naive Bayes",
        target="leukbench.models.classical:naive_bayes",
        reference="Rish 2001, An empirical study of the naive Bayes classifier",
        recipe=ON_FEATURES + "Gaussian naive Bayes.",
        published=Published("74.6", "69.05", "90.65", "85.71", "78.37", source=QUOTED_IN_PAPER),
    ),
    _spec(
        name="decision_tree",
        title="Decision tree",
        target="leukbench.models.classical:decision_tree",
        reference="Breiman et al. 1984, Classification and Regression Trees",
        recipe=ON_FEATURES + "one tree, fully grown, Gini impurity.",
        published=Published("96.77", "94.11", "100", "100", "96.96", source=QUOTED_IN_PAPER),
    ),
    _spec(
        name="random_forest",
        title="Random forest",
        target="leukbench.models.classical:random_forest",
        options={"n_estimators": 100},
        reference="Breiman 2001, doi:10.1023/A:1010933404324",
        recipe=ON_FEATURES + "100 trees, fully grown, Gini impurity.",
        published=Published("96.83", "100", "93.75", "93.93", "96.77", source=QUOTED_IN_PAPER),
    ),
)


def on_features(classifier: Any) -> Pipeline:
    """A pipeline: both features of the images, scaled, then the classifier."""
    from sklearn.pipeline import FeatureUnion, Pipeline
    from sklearn.preprocessing import StandardScaler

    from leukbench.models.features import FourierSpectrum, GreyHistogram

    features = FeatureUnion([("spectrum", FourierSpectrum()), ("histogram", GreyHistogram())])
    return Pipeline([("features", features), ("scale", StandardScaler()), ("model", classifier)])


def svm(kernel: str, random_state: Any, **parameters: Any) -> ProbabilisticSVM:
    """A support vector machine with probabilities."""
    from sklearn.svm import SVC

    from leukbench.models.estimators import ProbabilisticSVM

    return ProbabilisticSVM(SVC(kernel=kernel, **parameters), random_state=random_state)


def svm_rbf(random_state: Any = None, C: float = 1.0) -> Pipeline:
    """Support vector machine with Gaussian kernel; the seed decides the folds of its temperature."""
    return on_features(svm("rbf", random_state, C=C))


def naive_bayes(random_state: Any = None) -> Pipeline:
    """Gaussian naive Bayes; it has no randomness, so that the seed changes nothing."""
    from sklearn.naive_bayes import GaussianNB

    return on_features(GaussianNB())


def decision_tree(random_state: Any = None) -> Pipeline:
    """One decision tree; the seed decides between equal splits."""
    from sklearn.tree import DecisionTreeClassifier

    return on_features(DecisionTreeClassifier(random_state=random_state))


def random_forest(random_state: Any = None, n_estimators: int = 100) -> Pipeline:
    """A random forest."""
    from leukbench.models.estimators import RandomForest

    return on_features(RandomForest(n_estimators=n_estimators, random_state=random_state))
