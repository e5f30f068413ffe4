"""Several models at once: Friedman and Nemenyi over folds or datasets, and groups of equals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import f as fisher
from scipy.stats import friedmanchisquare, studentized_range

from leukbench.errors import UsageError

FRIEDMAN_COLUMNS = (
    "blocks", "models", "statistic", "freedom", "p", "iman_davenport", "iman_davenport_p",
    "critical_difference", "alpha",
)  # fmt: skip


@dataclass(frozen=True)
class Ranks:
    """Friedman's test (a row of `FRIEDMAN_COLUMNS`), average ranks (1 is best), Nemenyi's p of each pair.

    Empty frames where there are fewer than two complete blocks or three models.
    """

    friedman: pd.DataFrame
    average: pd.DataFrame
    nemenyi: pd.DataFrame


def critical_difference(models: int, blocks: int, alpha: float = 0.05) -> float:
    """Return by how much two average ranks must differ (Nemenyi; Demsar 2006, section 3.2.2).

    ``CD = q_alpha sqrt(k (k + 1) / (6 N))``, q being the studentized range over the square root of
    two, for k models and N blocks.

    Examples
    --------
    >>> round(critical_difference(models=4, blocks=14), 2)
    1.25
    """
    q = float(studentized_range.ppf(1 - alpha, models, np.inf)) / 2**0.5
    return float(q * (models * (models + 1) / (6 * blocks)) ** 0.5)


def rank_models(scores: pd.DataFrame, alpha: float = 0.05) -> Ranks:
    """Rank models within blocks and test whether the ranks differ (Demsar 2006, JMLR 7:1-30).

    Friedman's chi-square is scipy's, corrected for ties; ``iman_davenport`` is the less
    conservative F, (N - 1) chi^2 / (N (k - 1) - chi^2), with k - 1 and (k - 1)(N - 1) degrees of
    freedom. Blocks ought to be datasets; folds of one dataset share training images, which makes
    the p-values of this test too small, so leukbench draws the diagram from it and decides by Holm.

    `scores` has blocks as rows and models as columns; higher is better, rows with a hole are left out.
    """
    table = scores.dropna()
    blocks, models = table.shape
    if blocks < 2 or models < 3:
        return Ranks(
            pd.DataFrame(columns=list(FRIEDMAN_COLUMNS)),
            pd.DataFrame(columns=["model", "average_rank"]),
            pd.DataFrame(),
        )
    # what floating point alone tells apart is a tie
    ranks = (-table).round(12).rank(axis=1)
    freedom = models - 1
    if (ranks == (models + 1) / 2).all(axis=None):
        statistic, p = 0.0, 1.0
    else:
        statistic, p = map(float, friedmanchisquare(*ranks.to_numpy().T))
    rest = blocks * freedom - statistic
    ratio = (blocks - 1) * statistic / rest if rest > 1e-12 else np.inf
    row = (
        blocks, models, statistic, freedom, p, ratio,
        float(fisher.sf(ratio, freedom, freedom * (blocks - 1))),
        critical_difference(models, blocks, alpha), alpha,
    )  # fmt: skip
    average = ranks.mean().sort_values(kind="stable")
    import scikit_posthocs  # draws too, so that importing it takes as long as pandas

    nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(ranks.to_numpy())
    nemenyi = pd.DataFrame(nemenyi.to_numpy(), index=table.columns, columns=table.columns)
    return Ranks(
        pd.DataFrame([row], columns=list(FRIEDMAN_COLUMNS)),
        pd.DataFrame({"model": average.index, "average_rank": average.to_numpy()}),
        nemenyi.loc[average.index, average.index],
    )


def letters_of_equals(models: Sequence[str], p: pd.DataFrame, alpha: float = 0.05) -> list[str]:
    """Give models that cannot be told apart a letter in common (Piepho 2004).

    A letter stands for a largest set of models of which no two differ: compact letter display,
    doi:10.1198/1061860043515, from scikit-posthocs. A model can hold several letters: "cannot be
    told apart" is not transitive. `models` stand best first, so that ``a`` is the group of the first;
    `p` holds the adjusted p of each pair, models as rows and columns.

    Raises
    ------
    leukbench.errors.UsageError
        Where there are more groups than letters (52).
    """
    if not models:
        return []
    import scikit_posthocs

    square = p.loc[list(models), list(models)].to_numpy(dtype=np.float64, copy=True)
    np.fill_diagonal(square, 1.0)
    try:
        display = scikit_posthocs.compact_letter_display(square, alpha=alpha, names=list(models))
    except ValueError as error:
        raise UsageError(
            "There are more groups of equal models than letters: compare fewer models (`models`)."
        ) from error
    return [str(letters).replace(" ", "") for letters in display]
