"""Whether one more accuracy lies within the spread over several seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from leukbench.runfolder import RunFolder


@dataclass(frozen=True)
class Spread:
    """Accuracies of one model over seeds, on the same test images.

    Attributes
    ----------
    accuracies : tuple of float
        One a seed, 0 to 1.
    images : int
        Test images.
    """

    accuracies: tuple[float, ...]
    images: int

    @property
    def interval(self) -> tuple[float, float]:
        """Where one more seed lies with 95 % probability, half an image added on both sides.

        Student's prediction interval for one further value of a normal sample.

        Raises
        ------
        ValueError
            With fewer than two seeds.

        Examples
        --------
        >>> low, high = Spread((0.78, 0.80, 0.82), 1000).interval
        >>> round(low, 3), round(high, 3)
        (0.7, 0.9)
        """
        number = len(self.accuracies)
        if number < 2:
            raise ValueError("a spread over seeds needs two seeds at least")
        width = stats.t.ppf(0.975, number - 1) * np.std(self.accuracies, ddof=1)
        half = float(width * np.sqrt(1 + 1 / number)) + 0.5 / self.images
        middle = float(np.mean(self.accuracies))
        return middle - half, middle + half

    def holds(self, accuracy: float) -> bool:
        """Whether an accuracy could be that of one more seed."""
        low, high = self.interval
        return low <= accuracy <= high


def spreads_of(run: Path, models: Sequence[str], test: int) -> Mapping[str, Spread]:
    """Spread over seeds of those models that have two seeds or more in a run folder.

    Parameters
    ----------
    run : Path
        Run folder.
    models : sequence of str
        Names.
    test : int
        Test images that it must have, so that accuracies can be held against each other.

    Raises
    ------
    ValueError
        Where the run has another number of test images.
    """
    folder = RunFolder(run)
    accuracies = defaultdict(list)
    for record in folder.records:
        if record.scored and record.model in models:
            frame = folder.predictions(record)
            if len(frame) != test:
                raise ValueError(
                    f"{run} has {len(frame)} test images, not {test}: name a run of the same split "
                    "with --seeds-from"
                )
            accuracies[record.model].append(float((frame["y_true"] == frame["y_pred"]).mean()))
    return {
        name: Spread(tuple(accuracies[name]), test) for name in models if len(accuracies[name]) > 1
    }
