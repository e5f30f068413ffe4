"""From prediction frames to arrays: class codes, checked probabilities, one order, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.errors import DataError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Groups = Mapping[str, str]

PROBABILITY_PREFIX = "p_"
SUM_TOLERANCE = 0.05
"""How far a row of probabilities may be from one (half-precision softmax) before it is refused."""


@dataclass(frozen=True)
class Arrays:
    """One trial's predictions as arrays, images in ascending order of their names.

    Attributes
    ----------
    classes : tuple of str
        In the order of the probability columns.
    images : numpy.ndarray of str, shape (n,)
    truth, predicted : numpy.ndarray of int64, shape (n,)
        Positions in `classes`.
    probabilities : numpy.ndarray of float64, shape (n, len(classes)), or None
        As stored, to rank images by. None where the model gave none that is finite (a network
        whose loss became NaN), so that its other numbers can still be told.
    """

    classes: tuple[str, ...]
    images: NDArray[np.str_]
    truth: IntArray
    predicted: IntArray
    probabilities: FloatArray | None

    @cached_property
    def distribution(self) -> FloatArray | None:
        """Probabilities with rows that sum to one to the last bit.

        Not to rank by: the division breaks ties.
        """
        if self.probabilities is None:
            return None
        rows: FloatArray = self.probabilities / self.probabilities.sum(axis=1, keepdims=True)
        return rows

    @property
    def correct(self) -> FloatArray:
        """One for a right and zero for a wrong prediction, shape (n,)."""
        right: FloatArray = (self.truth == self.predicted).astype(np.float64)
        return right


def classes_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the class names that the probability columns of `frame` carry, in their order.

    Raises
    ------
    DataError
        Where there are fewer than two such columns.
    """
    names = tuple(
        name.removeprefix(PROBABILITY_PREFIX)
        for name in map(str, frame.columns)
        if name.startswith(PROBABILITY_PREFIX)
    )
    if len(names) < 2:
        raise DataError("The predictions have fewer than two columns p_<class>: write one a class.")
    return names


def arrays_of(frame: pd.DataFrame, name: str = "a trial") -> Arrays:
    """Check a prediction frame and turn it into arrays.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``image``, ``y_true``, ``y_pred`` and one ``p_<class>`` a class.
    name : str
        What the error messages call these predictions.

    Returns
    -------
    Arrays

    Raises
    ------
    DataError
        Where a column is missing, there is no image, an image stands there twice, a label is not
        one of the classes, or probabilities are negative or do not sum to one within 0.05.
    """
    missing = {"image", "y_true", "y_pred"} - set(frame.columns)
    if missing:
        raise DataError(
            f"The predictions of {name} lack the column {sorted(missing)[0]}: run it again."
        )
    if frame.empty:
        raise DataError(f"The predictions of {name} hold no image: give its split a test part.")
    classes = classes_of(frame)
    images = frame["image"].to_numpy(dtype=np.str_)
    order = np.argsort(images, kind="stable")
    images = images[order]
    twice = np.flatnonzero(images[1:] == images[:-1])
    if twice.size:
        raise DataError(
            f"The predictions of {name} hold {images[twice[0]]} twice: run it again with --fresh."
        )
    index = pd.Index(classes)
    codes = {}
    for column in ("y_true", "y_pred"):
        codes[column] = index.get_indexer(pd.Index(frame[column])).astype(np.int64)[order]
        unknown = np.flatnonzero(codes[column] < 0)
        if unknown.size:
            label = frame[column].iloc[order[unknown[0]]]
            raise DataError(
                f"The predictions of {name} hold {label!r} in {column}, for which there is no "
                f"column p_{label}: give every class its column."
            )
    columns = [PROBABILITY_PREFIX + c for c in classes]
    probabilities = _checked(frame[columns].to_numpy(dtype=np.float64)[order], name)
    return Arrays(classes, images, codes["y_true"], codes["y_pred"], probabilities)


def _checked(probabilities: FloatArray, name: str) -> FloatArray | None:
    if not np.isfinite(probabilities).all():
        return None
    sums = probabilities.sum(axis=1)
    if (probabilities < 0).any() or (np.abs(sums - 1) > SUM_TOLERANCE).any():
        raise DataError(
            f"The probabilities of {name} are negative or do not sum to one: "
            "let predict_proba give a distribution over the classes."
        )
    return probabilities


def groups_from_split(split: pd.DataFrame) -> dict[str, str]:
    """Return the group of each image of a split, leaving out the images without one.

    Parameters
    ----------
    split : pandas.DataFrame
        Columns ``image`` and ``group``; an image may stand there several times (once a fold).

    Returns
    -------
    dict of str to str
        Empty where no group is known.
    """
    known = split[["image", "group"]].drop_duplicates("image").fillna("").astype(str)
    known = known[known["group"] != ""]
    return dict(zip(known["image"], known["group"], strict=True))


def group_codes(images: Iterable[str], groups: Groups | None) -> IntArray:
    """Number the groups of `images` from zero; an image without a group is one by itself.

    Returns
    -------
    numpy.ndarray of int64, shape (number of images,)
    """
    lookup = groups or {}
    keys = [(0, lookup[i]) if lookup.get(i) else (1, str(i)) for i in images]
    numbers: dict[tuple[int, str], int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
