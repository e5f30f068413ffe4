"""One trial's predictions, as everything to the right of training sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from leukbench.score.arrays import Arrays, arrays_of


@dataclass(frozen=True)
class TrialPredictions:
    """Predictions of one model on one fold with one seed.

    Attributes
    ----------
    model, title, family : str
        Name, title for tables, and family of the model.
    fold, seed : int
        Which part of the split was tested, and the seed of the training.
    status : str
        ``"ok"`` or ``"degenerate"``.
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
        """The predictions as arrays, checked once.

        Raises
        ------
        leukbench.errors.DataError
            As `leukbench.score.arrays.arrays_of`.
        """
        return arrays_of(self.frame, self.name)
