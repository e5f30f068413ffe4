"""The ensembles of the paper's Table 1: E1, E2 and E3.

Moshavash, Danyali and Helfroush 2018, "An Automatic and Robust Decision Support System for Accurate
Acute Leukemia Diagnosis from Blood Microscopic Images". They see the same two features as the
paper's other classical models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leukbench.errors import UsageError
from leukbench.models.registry import ModelSpec, Published

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_REFERENCE = "Moshavash et al. 2018, doi:10.1007/s10278-018-0074-y"
_SOURCE = "Keerthivasan and Saranya 2023, Table 1; from another paper and other data"
_FEATURES = "On the Fourier spectrum and the 256-bin histogram, scaled to unit variance: "
_DEPARTURES = (
    "The paper's two features, where the source has shape, colour and texture of segmented cells.",
)

SPECS = (
    ModelSpec(
        name="ensemble_e1",
        title="Ensemble E1",
        family="ensemble",
        target="leukbench.models.ensembles:ensemble_e1",
        reference=_REFERENCE,
        framework="sklearn",
        recipe=_FEATURES + "5 nearest neighbours, decision tree, SVM with Gaussian kernel, naive "
        "Bayes; mean of their probabilities.",
        published=Published("75.00", "64.47", None, "54.24", "0.78", source=_SOURCE),
        departures=_DEPARTURES,
    ),
    ModelSpec(
        name="ensemble_e2",
        title="Ensemble E2",
        family="ensemble",
        target="leukbench.models.ensembles:ensemble_e2",
        reference=_REFERENCE,
        framework="sklearn",
        recipe=_FEATURES + "SVMs with linear, Gaussian and quadratic kernels, perceptron with one "
        "hidden layer of 100; mean of their probabilities.",
        published=Published("89.81", "81.67", None, "81.36", "0.89", source=_SOURCE),
        departures=_DEPARTURES,
    ),
    ModelSpec(
        name="ensemble_e3",
        title="Ensemble E3",
        family="ensemble",
        target="leukbench.models.ensembles:ensemble_e3",
        reference=_REFERENCE,
        framework="sklearn",
        recipe=_FEATURES + "SVM with quadratic kernel.",
        departures=_DEPARTURES,
    ),
)


def ensemble_e1(random_state: Any = None, voting: str = "probability") -> Pipeline:
    """Nearest neighbours, decision tree, SVM and naive Bayes.

    Parameters
    ----------
    random_state : int, RandomState or None
        Seed of the tree and of the calibration's folds.
    voting : {"probability", "majority"}
        Mean of the probabilities, or share of the votes.
    """
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    return _vote(
        [
            ("neighbours", KNeighborsClassifier(5)),
            ("tree", DecisionTreeClassifier(random_state=random_state)),
            ("svm", _svm("rbf", random_state)),
            ("bayes", GaussianNB()),
        ],
        voting,
    )


def ensemble_e2(random_state: Any = None, voting: str = "probability") -> Pipeline:
    """SVMs with linear, Gaussian and quadratic kernels, and a multi-layer perceptron.

    Parameters
    ----------
    random_state : int, RandomState or None
        Seed of the perceptron and of the calibrations' folds.
    voting : {"probability", "majority"}
        Mean of the probabilities, or share of the votes.
    """
    from sklearn.neural_network import MLPClassifier

    return _vote(
        [
            ("linear", _svm("linear", random_state)),
            ("gaussian", _svm("rbf", random_state)),
            ("quadratic", _svm("poly", random_state)),
            ("perceptron", MLPClassifier((100,), max_iter=1000, random_state=random_state)),
        ],
        voting,
    )


def ensemble_e3(random_state: Any = None) -> Pipeline:
    """One SVM with a quadratic kernel."""
    from leukbench.models.classical import on_features

    return on_features(_svm("poly", random_state))


def _svm(kernel: str, random_state: Any) -> Any:
    """A support vector machine with probabilities; ``poly`` is ``(gamma <x, z> + 1) ** 2``."""
    from sklearn.svm import SVC

    from leukbench.models.training.calibrated import CalibratedClassifier

    shape = {"degree": 2, "coef0": 1.0} if kernel == "poly" else {}
    return CalibratedClassifier(SVC(kernel=kernel, **shape), random_state=random_state)


def _vote(members: list[tuple[str, Any]], voting: str) -> Pipeline:
    from sklearn.ensemble import VotingClassifier

    from leukbench.models.classical import on_features
    from leukbench.models.voting import MajorityVote

    if voting == "probability":
        return on_features(VotingClassifier(members, voting="soft"))
    if voting == "majority":
        return on_features(MajorityVote(members))
    raise UsageError(f"voting is {voting!r}: use probability or majority.")
