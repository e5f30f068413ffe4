"""The ensembles of the paper's Table 1: E1, E2 and E3.

Moshavash, Danyali and Helfroush 2018, "An Automatic and Robust Decision Support System for Accurate
Acute Leukemia Diagnosis from Blood Microscopic Images". They see the same two features as the
paper's other classical models.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from leukbench.errors import UsageError
from leukbench.models.classical import ON_FEATURES, on_features, svm
from leukbench.models.registry import QUOTED_IN_PAPER, ModelSpec, Published

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from leukbench.models.estimators import ProbabilisticSVM

_spec = partial(
    ModelSpec,
    family="ensemble",
    framework="sklearn",
    reference="Moshavash et al. 2018, doi:10.1007/s10278-018-0074-y",
    departures=(
        "The paper's two features, where the source has shape, colour and texture of segmented cells.",
    ),
)

SPECS = (
    _spec(
        name="ensemble_e1",
        title="Ensemble E1",
        target="leukbench.models.ensembles:ensemble_e1",
        recipe=ON_FEATURES + "5 nearest neighbours, decision tree, SVM with Gaussian kernel, naive "
        "Bayes; mean of their probabilities.",
        published=Published("75.00", "64.47", None, "54.24", "0.78", source=QUOTED_IN_PAPER),
    ),
    _spec(
        name="ensemble_e2",
        title="Ensemble E2",
        target="leukbench.models.ensembles:ensemble_e2",
        recipe=ON_FEATURES
        + "SVMs with linear, Gaussian and quadratic kernels, perceptron with one "
        "hidden layer of 100; mean of their probabilities.",
        published=Published("89.81", "81.67", None, "81.36", "0.89", source=QUOTED_IN_PAPER),
    ),
    _spec(
        name="ensemble_e3",
        title="Ensemble E3",
        target="leukbench.models.ensembles:ensemble_e3",
        recipe=ON_FEATURES + "SVM with quadratic kernel.",
    ),
)


def ensemble_e1(random_state: Any = None, voting: str = "probability") -> Pipeline:
    """Nearest neighbours, decision tree, SVM and naive Bayes.

    ``voting`` is ``probability`` (mean of the probabilities) or ``majority`` (share of the votes).
    """
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    return _vote(
        [
            ("neighbours", KNeighborsClassifier(5)),
            ("tree", DecisionTreeClassifier(random_state=random_state)),
            ("svm", svm("rbf", random_state)),
            ("bayes", GaussianNB()),
        ],
        voting,
    )


def ensemble_e2(random_state: Any = None, voting: str = "probability") -> Pipeline:
    """SVMs with linear, Gaussian and quadratic kernels, and a perceptron; see `ensemble_e1`."""
    from sklearn.neural_network import MLPClassifier

    return _vote(
        [
            ("linear", svm("linear", random_state)),
            ("gaussian", svm("rbf", random_state)),
            ("quadratic", _quadratic_svm(random_state)),
            ("perceptron", MLPClassifier((100,), max_iter=1000, random_state=random_state)),
        ],
        voting,
    )


def ensemble_e3(random_state: Any = None) -> Pipeline:
    """One SVM with a quadratic kernel."""
    return on_features(_quadratic_svm(random_state))


def _quadratic_svm(random_state: Any) -> ProbabilisticSVM:
    """The kernel is ``(gamma <x, z> + 1) ** 2``."""
    return svm("poly", random_state, degree=2, coef0=1.0)


def _vote(members: list[tuple[str, Any]], voting: str) -> Pipeline:
    from sklearn.ensemble import VotingClassifier

    from leukbench.models.estimators import MajorityVote

    if voting == "probability":
        return on_features(VotingClassifier(members, voting="soft"))
    if voting == "majority":
        return on_features(MajorityVote(members))
    raise UsageError(f"`voting={voting}` does not fit: use probability or majority.")
