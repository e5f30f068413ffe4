"""A trial's predictions, checked once and turned into arrays: class codes, probabilities, groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.errors import DataError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Groups = Mapping[str, str]
"""Patient, slide or proxy group of an image; an image that it lacks is a group by itself."""

PROBABILITY_PREFIX = "p_"
SUM_TOLERANCE = 0.05
"""How far a row of probabilities may be from one (half-precision softmax) before it is refused."""


OUTSIDE_TOLERANCE = 0.02
"""How far a row of another program's probabilities may be from one: what two digits of a CSV leave."""


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
        As stored, to rank images by. None where any is not finite (the loss of a network became
        NaN): scores of counts exist all the same.
    """

    classes: tuple[str, ...]
    images: NDArray[np.str_]
    truth: IntArray
    predicted: IntArray
    probabilities: FloatArray | None

    @cached_property
    def stored(self) -> FloatArray:
        """`probabilities`, or NaN everywhere where the model gave none."""
        if self.probabilities is None:
            return np.full((len(self.truth), len(self.classes)), np.nan)
        return self.probabilities

    @cached_property
    def distribution(self) -> FloatArray:
        """`stored` with rows that sum to one to the last bit; the division breaks ties."""
        rows: FloatArray = self.stored / self.stored.sum(axis=1, keepdims=True)
        return rows

    @cached_property
    def ranking(self) -> FloatArray:
        """What images are ranked by, one column a class: `stored`; of two classes, both columns.

        Of two classes the log-odds rank: a probability that was rounded to 1 ties what its partner,
        close to 0, still tells apart, and each column alone would give another area.
        """
        if len(self.classes) != 2:
            return self.stored
        with np.errstate(divide="ignore"):
            odds = np.log(self.stored[:, 1]) - np.log(self.stored[:, 0])
        places = np.unique(odds, return_inverse=True)[1].astype(np.float64)
        return np.column_stack([-places, places])

    @property
    def correct(self) -> FloatArray:
        """One for a right and zero for a wrong prediction, shape (n,)."""
        right: FloatArray = (self.truth == self.predicted).astype(np.float64)
        return right

    def take(self, images: NDArray[np.integer]) -> Arrays:
        """The images at these positions, with repetitions, as one more trial."""
        chosen = None if self.probabilities is None else self.probabilities[images]
        return Arrays(
            self.classes, self.images[images], self.truth[images], self.predicted[images], chosen
        )


@dataclass(frozen=True)
class TrialPredictions:
    """Predictions of one model on one fold with one seed: what scores and reports see of a trial.

    Attributes
    ----------
    family : str
        ``deep``, ``classical``, ``ensemble``, ``reference``, ``control`` or ``probe``.
    status : str
        ``ok`` or ``degenerate``.
    frame : pandas.DataFrame
        Columns ``image``, ``y_true``, ``y_pred`` and one probability column ``p_<class>`` a class.
    n_train : int
        Images that the model was fitted on.
    """

    model: str
    title: str
    family: str
    fold: int
    seed: int
    status: str
    frame: pd.DataFrame
    n_train: int

    @property
    def name(self) -> str:
        """The trial in words, for messages."""
        return f"{self.model} (fold {self.fold}, seed {self.seed})"

    @cached_property
    def arrays(self) -> Arrays:
        """The predictions as arrays, checked by `arrays_of`."""
        return arrays_of(self.frame, self.name)


def probability_columns(classes: Iterable[str]) -> list[str]:
    """Names of the probability columns of stored predictions."""
    return [PROBABILITY_PREFIX + name for name in classes]


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
    """Check a prediction frame (see `TrialPredictions`) and turn it into arrays.

    Raises
    ------
    DataError
        Where a column is missing, there is no image, an image stands there twice, a label is not
        one of the classes, a column holds other than text or numbers, or probabilities are negative or
        do not sum to one within 0.05.
    """
    try:
        return _arrays_of(frame, name)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"The predictions of {name} hold what is no label or probability ({error}): run it again."
        ) from error


def _arrays_of(frame: pd.DataFrame, name: str) -> Arrays:
    missing = {"image", "y_true", "y_pred"} - set(frame.columns)
    if missing:
        raise DataError(
            f"The predictions of {name} lack the column {sorted(missing)[0]}: run it again."
        )
    if frame.empty:
        raise DataError(f"The predictions of {name} hold no image: give its split a test part.")
    if not frame.columns.is_unique:
        raise DataError(f"The predictions of {name} have a column twice: run it again.")
    classes = classes_of(frame)
    images = frame["image"].to_numpy(dtype=np.str_)
    order = np.argsort(images, kind="stable")
    images = images[order]
    twice = np.flatnonzero(images[1:] == images[:-1])
    if twice.size:
        raise DataError(
            f"The predictions of {name} hold {images[twice[0]]} twice: run it again with "
            "`fresh=True`."
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
    probabilities = frame[probability_columns(classes)].to_numpy(dtype=np.float64)[order]
    return Arrays(classes, images, codes["y_true"], codes["y_pred"], _checked(probabilities, name))


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
    """Return the group of each image of a split (columns ``image``, ``group``) that has one."""
    rows = split[["image", "group"]].drop_duplicates("image").fillna("").astype(str)
    rows = rows[rows["group"] != ""]
    return dict(zip(rows["image"], rows["group"], strict=True))


def group_codes(images: Sequence[str], groups: Groups | None) -> IntArray:
    """Number the groups of `images` from zero, in order of appearance: shape (images,)."""
    lookup = groups or {}
    keys = [(0, lookup[i]) if lookup.get(i) else (1, str(i)) for i in images]
    numbers: dict[tuple[int, str], int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
