"""Tables of predictions of any program, as trials; what does not fit is refused by its place.

A table has the columns ``image``, ``y_true``, and ``y_pred`` or one column a class (``p_<class>``,
``prob_<class>`` or the class itself) or both. `TRIAL`, `GROUPS` and `FACTS` may stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukbench.data.dataset import natural_key
from leukbench.errors import DataError
from leukbench.outside.tables import OutsideTable, read_table
from leukbench.score.arrays import OUTSIDE_TOLERANCE, probability_columns

TRIAL = ("model", "fold", "seed")
"""Columns that say which trial a row belongs to."""
GROUPS = ("group", "proxy_group")
"""Patient or slide of an image, or what stands for it where patients are unknown."""
WHOLE_FACTS = ("n_train", "n_validation", "parameters", "flops")
NUMBER_FACTS = ("train_seconds", "predict_ms_per_image", "peak_memory_mb")
WEIGHTS = ("weights", "frozen")
"""What a network started from (``random``, ``imagenet`` or a file), and whether that stayed as it was."""
FACTS = ("title", "family", "synthetic", *WEIGHTS, *WHOLE_FACTS, *NUMBER_FACTS)
"""Columns that say something of a whole trial, the same in all of its rows; a cell may be empty."""
COLUMNS = ("image", "y_true", "y_pred", *TRIAL, *GROUPS, *FACTS)
PREFIXES = ("p_", "prob_")
MOSTLY = 0.5
"""Share of rows whose ``y_pred`` is not the most probable class, above which columns are mixed up."""

_DISTRIBUTION = (
    "give probabilities, one column a class: apply softmax to logits, divide percent by 100"
)


@dataclass(frozen=True)
class OutsideTrial:
    """Predictions of one model, fold and seed.

    `frame` has the columns of stored predictions but no probabilities where `classes` is empty; its index
    is the place in `table`. `facts` are the cells of `FACTS` that are filled in.
    """

    table: OutsideTable
    model: str
    fold: int
    seed: int
    classes: tuple[str, ...]
    frame: pd.DataFrame
    groups: Mapping[str, str]
    facts: Mapping[str, str]

    @property
    def name(self) -> str:
        """The trial in words, for messages."""
        return f"{self.model}, fold {self.fold}, seed {self.seed}"


def read_predictions(file: Path) -> list[OutsideTrial]:
    """Read one table; a model without a name is called like its file.

    Raises
    ------
    DataError
        Where it cannot be read or a cell does not fit: names file, line or row, and column.
    """
    table = read_table(file, ("image", "y_true"))
    given = [name for name in ("image", "y_true", "y_pred", *TRIAL) if name in table.cells]
    table.filled(given)
    classes = _class_columns(table)
    if not classes and "y_pred" not in table.cells:
        raise DataError(
            f"{table.file} has neither y_pred nor a column of probabilities: add y_pred, or one column "
            "p_<class> a class."
        )
    _known_labels(table, tuple(classes))
    frame = _frame(table, classes)
    cells = table.cells
    trial = pd.DataFrame(
        {
            "model": cells.get("model", table.file.stem),
            "fold": table.whole("fold") if "fold" in cells else 0,
            "seed": table.whole("seed") if "seed" in cells else 0,
        },
        index=cells.index,
    )
    numbers = trial.groupby(list(TRIAL), sort=False).ngroup()
    first = trial[~numbers.duplicated()]
    return [
        _trial(table, str(model), int(fold), int(seed), tuple(classes), frame[numbers == number])
        for number, (model, fold, seed) in enumerate(first.itertuples(index=False, name=None))
    ]


def _trial(
    table: OutsideTable, model: str, fold: int, seed: int, classes: tuple[str, ...], frame: Any
) -> OutsideTrial:
    twice = frame["image"].duplicated()
    if twice.any():
        second = int(twice.idxmax())
        image = frame.loc[second, "image"]
        first = int((frame["image"] == image).idxmax())
        table.refuse(
            second, "image", f"{image} is predicted twice, in {table.unit} {first} too",
            "tell trials apart by the columns model, fold and seed, or remove one",
        )  # fmt: skip
    own = OutsideTable(table.file, table.unit, table.cells.loc[frame.index])
    return OutsideTrial(
        table, model, fold, seed, classes, frame, _groups_of(own), dict(_facts_of(own))
    )


def _class_columns(table: OutsideTable) -> dict[str, str]:
    """Column of each class, in natural order of the classes; empty where there is none."""
    rest = [name for name in table.columns if name not in COLUMNS]
    for prefix in PREFIXES:
        found = {c.removeprefix(prefix): c for c in rest if c.startswith(prefix) and c != prefix}
        if found:
            table.only(
                (*COLUMNS, *found.values()),
                f"remove it, or call it {prefix}{{class}} where it is the probability of a class",
            )
            break
    else:
        labels = {*table.cells["y_true"], *table.cells.get("y_pred", ())}
        found = {name: name for name in rest if name in labels}
        table.only(
            (*COLUMNS, *found),
            "remove it, or call it p_<class> where it is the probability of a class",
        )
    if len(found) == 1:
        only = next(iter(found.values()))
        raise DataError(
            f"{table.file} has the probability of one class alone, in {only}: write one column a class."
        )
    return {name: found[name] for name in sorted(found, key=natural_key)}


def _known_labels(table: OutsideTable, classes: Sequence[str]) -> None:
    for name in ("y_true", "y_pred"):
        if classes and name in table.cells:
            table.refuse_where(
                ~table.cells[name].isin(classes), name, "{} has no column of probabilities",
                f"the columns are of {', '.join(classes)[:200]}: add one, or mend the name",
            )  # fmt: skip


def _frame(table: OutsideTable, classes: Mapping[str, str]) -> pd.DataFrame:
    """Image, y_true, y_pred and probabilities, each row checked."""
    frame = table.cells[["image", "y_true"]].copy()
    if not classes:
        frame["y_pred"] = table.cells["y_pred"]
        return frame
    values = np.column_stack([table.numbers(column) for column in classes.values()])
    for column, numbers in zip(classes.values(), values.T, strict=True):
        table.refuse_where(
            (numbers < 0) | (numbers > 1),
            column,
            "the probability {} is not in 0..1",
            _DISTRIBUTION,
        )
    sums = values.sum(axis=1)
    for place in np.flatnonzero(np.abs(sums - 1) > OUTSIDE_TOLERANCE)[:1]:
        columns = f"{next(iter(classes.values()))} to {[*classes.values()][-1]}"
        table.refuse(
            int(frame.index[place]), columns, f"the probabilities sum to {sums[place]:.4g}, not to 1",
            _DISTRIBUTION,
        )  # fmt: skip
    chosen = np.array(list(classes))[values.argmax(axis=1)]
    frame["y_pred"] = table.cells.get("y_pred", chosen)
    other = frame["y_pred"].to_numpy() != chosen
    if other.mean() > MOSTLY:
        table.refuse_where(
            other, "y_pred", "{} is not the most probable class",
            "check that the columns of probabilities bear the right names",
        )  # fmt: skip
    frame[probability_columns(classes)] = values
    return frame


def _groups_of(table: OutsideTable) -> dict[str, str]:
    column = next((name for name in GROUPS if name in table.cells), None)
    if column is None:
        return {}
    pairs = zip(table.cells["image"], table.cells[column], strict=True)
    return {image: group for image, group in pairs if group}


def _facts_of(table: OutsideTable) -> Iterator[tuple[str, str]]:
    """What the columns `FACTS` say of a trial."""
    for name in FACTS:
        if name not in table.cells:
            continue
        values = table.cells[name]
        first = str(values.iloc[0])
        table.refuse_where(
            values != first, name, f"{{}} is not what other rows of the trial say, {first!r}",
            "a column of this name holds one value a trial",
        )  # fmt: skip
        if not first:
            continue
        if name in WHOLE_FACTS:
            table.whole(name)
        elif name in NUMBER_FACTS:
            table.numbers(name)
        elif name in ("synthetic", "frozen"):
            wrong = ~values.str.lower().isin(("true", "false"))
            table.refuse_where(wrong, name, "{} is neither true nor false", "write one of them")
        yield name, first
