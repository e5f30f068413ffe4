"""The model contract as a list of checks, for built-in models and for plug-ins.

>>> from leukbench.models.testing import check_model
>>> all(result.ok for result in check_model("control_majority"))
True
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukbench.models import registry
from leukbench.models.registry import ModelSpec

_SIDE = 32
_PER_CLASS = 8
_TEXT = np.array(["Benign", "Früh Prä-B", "Pro B"])


@dataclass(frozen=True)
class CheckResult:
    """One point of the contract.

    Attributes
    ----------
    name : str
        What was checked.
    ok : bool
        Whether it holds.
    detail : str
        What was found where it does not hold; else empty.
    """

    name: str
    ok: bool
    detail: str = ""


class _Broken(Exception):
    """A point of the contract does not hold; the text says how."""


def check_model(model: str | ModelSpec) -> list[CheckResult]:
    """Hold a model against the contract, on two dozen small rendered images.

    Parameters
    ----------
    model : str or ModelSpec
        A registered name, or a spec that is not registered yet.

    Returns
    -------
    list of CheckResult
        In the order of the checks. After a check that the others need has failed, the others are
        not made.

    Raises
    ------
    UsageError
        Where there is no model of that name.
    """
    spec = registry.get(model) if isinstance(model, str) else model
    results: list[CheckResult] = []
    for name, needed, check in _checks(spec):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                check()
            except _Broken as broken:
                results.append(CheckResult(name, False, str(broken)))
            except Exception as error:
                results.append(CheckResult(name, False, f"{type(error).__name__}: {error}"))
            else:
                results.append(CheckResult(name, True))
        if needed and not results[-1].ok:
            break
    return results


def tiny_images(
    classes: int = 3, channels: int = 1, per_class: int = _PER_CLASS, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Noisy 32x32 images with a disc whose radius and brightness tell the class.

    Returns
    -------
    images : numpy.ndarray of uint8, shape (classes * per_class, 32, 32, channels)
    labels : numpy.ndarray of int, shape (classes * per_class,)
        From 0, shuffled.
    """
    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.repeat(np.arange(classes), per_class))
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    centre = _SIDE / 2 + draw.normal(0, 2, (2, len(labels), 1, 1))
    distance = np.hypot(rows - centre[0], columns - centre[1])
    share = (labels / max(1, classes - 1))[:, None, None]
    images = np.where(distance < 5 + 8 * share, 70 + 60 * share, 200.0)
    noisy = images[..., None] + draw.normal(0, 8, (*images.shape, channels))
    return noisy.clip(0, 255).astype(np.uint8), labels


def _checks(spec: ModelSpec) -> Iterator[tuple[str, bool, Callable[[], None]]]:
    """Names and functions; the flag says that all later checks need this one."""
    short = {"epochs": 1, "batch_size": 64} if spec.framework == "keras" else {}
    images, numbers = tiny_images()
    images.setflags(write=False)
    labels = _TEXT[numbers]
    fitted: list[Any] = []

    def make(seed: int = 0) -> Any:
        return spec.factory()(random_state=seed, **short)

    def is_classifier() -> None:
        estimator = make()
        for method in ("fit", "predict", "predict_proba", "get_params", "set_params"):
            _demand(hasattr(estimator, method), f"the estimator has no {method}")

    def is_fresh() -> None:
        _demand(make() is not make(), "the factory gives the same estimator twice")

    def is_clonable() -> None:
        from sklearn.base import clone

        estimator = make()
        copy = clone(estimator)
        _demand(
            repr(copy.get_params()) == repr(estimator.get_params()),
            "a clone has other parameters than its original",
        )

    def is_picklable() -> None:
        pickle.loads(pickle.dumps(make()))

    def fits() -> None:
        estimator = make()
        returned = estimator.fit(images, labels)
        _demand(returned is estimator, "fit does not return the estimator itself")
        fitted.append(estimator)

    def has_classes() -> None:
        _demand(
            list(fitted[0].classes_) == sorted(set(labels)),
            f"classes_ is {list(fitted[0].classes_)}, the labels are {sorted(set(labels))}",
        )

    def gives_probabilities() -> None:
        _check_probabilities(fitted[0].predict_proba(images), len(images), len(_TEXT))

    def predicts_most_probable() -> None:
        probabilities = fitted[0].predict_proba(images)
        predicted = np.asarray(fitted[0].predict(images))
        _demand(predicted.shape == (len(images),), f"predict gives the shape {predicted.shape}")
        columns = np.searchsorted(fitted[0].classes_, predicted)
        chosen = probabilities[np.arange(len(images)), columns]
        _demand(
            bool(np.allclose(chosen, probabilities.max(axis=1))),
            "predict gives other classes than the most probable ones",
        )

    def one_image_alone() -> None:
        together = fitted[0].predict_proba(images)[:1]
        alone = fitted[0].predict_proba(images[:1])
        _demand(
            bool(np.allclose(together, alone, atol=1e-3)),
            "an image alone gets other probabilities than among others",
        )

    def repeats() -> None:
        again = make().fit(images, labels).predict_proba(images)
        _demand(
            bool(np.array_equal(again, fitted[0].predict_proba(images))),
            "the same seed gives other predictions",
        )

    def takes_colour_and_numbers() -> None:
        coloured, targets = tiny_images(classes=2, channels=3)
        estimator = make().fit(coloured, targets + 7)
        _check_probabilities(estimator.predict_proba(coloured), len(coloured), 2)
        _demand(list(estimator.classes_) == [7, 8], f"classes_ is {list(estimator.classes_)}")

    yield "makes an estimator with the methods of a classifier", True, is_classifier
    yield "makes a fresh one every time", False, is_fresh
    yield "can be cloned", False, is_clonable
    yield "can be pickled", False, is_picklable
    yield "fits grey images with text labels, without writing to them", True, fits
    yield "knows its classes, sorted", True, has_classes
    yield "gives probabilities that sum to 1", True, gives_probabilities
    yield "predicts the most probable class", False, predicts_most_probable
    yield "judges an image alone as among others", False, one_image_alone
    yield "gives the same predictions for the same seed", False, repeats
    yield "fits colour images with two classes and number labels", False, takes_colour_and_numbers


def _check_probabilities(found: Any, images: int, classes: int) -> None:
    probabilities = np.asarray(found)
    _demand(
        probabilities.shape == (images, classes),
        f"predict_proba has the shape {probabilities.shape} instead of {(images, classes)}",
    )
    _demand(bool(np.isfinite(probabilities).all()), "a probability is no number")
    _demand(
        float(probabilities.min()) >= 0 and bool(np.allclose(probabilities.sum(axis=1), 1)),
        "a row of probabilities does not sum to 1, or one is negative",
    )


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _Broken(otherwise)
