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
_TEXT = np.array(["Benign", "Früh Prä-B", "Pro B"])

Check = Callable[[], str]
"""Returns what is wrong; an empty text where the point holds."""


@dataclass(frozen=True)
class CheckResult:
    """One point of the contract, whether it holds, and if not what is wrong."""

    name: str
    ok: bool
    detail: str = ""


def check_model(model: str | ModelSpec) -> list[CheckResult]:
    """Hold a registered name, or a spec, against the contract, on two dozen small rendered images.

    After a check that the others need has failed, the others are left out.

    `UsageError` where there is no model of that name.
    """
    spec = registry.get(model) if isinstance(model, str) else model
    results: list[CheckResult] = []
    for name, needed, check in _checks(spec):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                detail = check()
            except Exception as error:
                detail = f"{type(error).__name__}: {error}"
        results.append(CheckResult(name, not detail, detail))
        if needed and detail:
            break
    return results


def tiny_images(
    classes: int = 3, channels: int = 1, per_class: int = 8, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Noisy images with a disc whose radius and brightness depend on the class, and their labels.

    The images have the shape (classes * per_class, 32, 32, channels); the labels count from 0, shuffled.
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


def _checks(spec: ModelSpec) -> Iterator[tuple[str, bool, Check]]:
    """Names, whether all later checks need this one, and the checks."""

    def make() -> Any:
        short = {"epochs": 1, "batch_size": 64} if spec.framework == "keras" else {}
        return spec.factory()(random_state=0, **short)

    yield "makes an estimator with the methods of a classifier", True, lambda: _methods(make())
    twice = "the factory gives the same estimator twice"
    yield "makes a fresh one every time", False, lambda: twice if make() is make() else ""
    yield "can be cloned", False, lambda: _clone(make())
    yield "can be pickled", False, lambda: _pickle(make())

    images, numbers = tiny_images()
    images.setflags(write=False)
    labels = _TEXT[numbers]
    fitted = make()
    fits = "fits grey images with text labels, without writing to them"
    yield fits, True, lambda: _fit(fitted, images, labels)
    yield "knows its classes, sorted", True, lambda: _classes(fitted, sorted(set(labels)))
    yield "gives probabilities that sum to 1", True, lambda: _probabilities(fitted, images)
    yield "predicts the most probable class", False, lambda: _most_probable(fitted, images)
    yield "judges an image alone as among others", False, lambda: _alone(fitted, images)
    again = "gives the same predictions for the same seed"
    yield again, False, lambda: _same(fitted, make().fit(images, labels), images)
    colour = "fits colour images with two classes and number labels"
    yield colour, False, lambda: _fits_colour(make())


def _methods(estimator: Any) -> str:
    needed = ("fit", "predict", "predict_proba", "get_params", "set_params")
    missing = [method for method in needed if not hasattr(estimator, method)]
    return f"the estimator has no {missing[0]}" if missing else ""


def _clone(estimator: Any) -> str:
    from sklearn.base import clone

    same = repr(clone(estimator).get_params()) == repr(estimator.get_params())
    return "" if same else "a clone has other parameters than its original"


def _pickle(estimator: Any) -> str:
    pickle.loads(pickle.dumps(estimator))
    return ""


def _fit(estimator: Any, images: NDArray[np.uint8], labels: NDArray[Any]) -> str:
    returned = estimator.fit(images, labels)
    return "" if returned is estimator else "fit does not return the estimator itself"


def _classes(fitted: Any, labels: list[Any]) -> str:
    classes = list(fitted.classes_)
    return "" if classes == labels else f"classes_ is {classes}, the labels are {labels}"


def _probabilities(fitted: Any, images: NDArray[np.uint8]) -> str:
    probabilities = np.asarray(fitted.predict_proba(images))
    expected = (len(images), len(fitted.classes_))
    if probabilities.shape != expected:
        return f"predict_proba has the shape {probabilities.shape} instead of {expected}"
    if not np.isfinite(probabilities).all():
        return "a probability is NaN or infinite"
    if probabilities.min() < 0 or not np.allclose(probabilities.sum(axis=1), 1):
        return "a row of probabilities does not sum to 1, or one is negative"
    return ""


def _most_probable(fitted: Any, images: NDArray[np.uint8]) -> str:
    probabilities = fitted.predict_proba(images)
    predicted = np.asarray(fitted.predict(images))
    if predicted.shape != (len(images),):
        return f"predict gives the shape {predicted.shape}"
    chosen = probabilities[np.arange(len(images)), np.searchsorted(fitted.classes_, predicted)]
    same = np.allclose(chosen, probabilities.max(axis=1))
    return "" if same else "predict gives other classes than the most probable ones"


def _alone(fitted: Any, images: NDArray[np.uint8]) -> str:
    among, alone = fitted.predict_proba(images)[:1], fitted.predict_proba(images[:1])
    same = np.allclose(among, alone, atol=1e-3)
    return "" if same else "an image alone gets other probabilities than among others"


def _same(fitted: Any, again: Any, images: NDArray[np.uint8]) -> str:
    same = np.array_equal(again.predict_proba(images), fitted.predict_proba(images))
    return "" if same else "the same seed gives other predictions"


def _fits_colour(estimator: Any) -> str:
    images, labels = tiny_images(classes=2, channels=3)
    fitted = estimator.fit(images, labels + 7)
    return _classes(fitted, [7, 8]) or _probabilities(fitted, images)
