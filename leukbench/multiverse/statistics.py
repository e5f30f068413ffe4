"""How much of an accuracy comes from which choice, from the model, the seed and the test images.

Four tables: the spread of each model over universes, seeds and test images; an analysis of variance
(type II, statsmodels); how often each model beats each other, with Kendall's tau-b between rankings; and
the recall of each class.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from leukbench.multiverse.tables import Results

ALL_MODELS = "all models"
SEED = "seed"
HIGHER = "higher interactions"
_ROUNDING = 1e-9
_MOST_COLUMNS = 200
"""Beyond so many columns of the design, interactions of two choices stay in `HIGHER`."""


def spread(results: Results) -> pd.DataFrame:
    """``spread.csv``: standard deviations of each model's accuracy, as fractions.

    ``universes_sd`` is that of the means over seeds; ``seeds_sd`` that of single trainings within a
    universe, pooled (NaN with one seed); ``images_sd`` the binomial one of a test part of that size,
    which takes images as independent, so that it is a lower bound where patients have several.
    """
    rows = []
    for model in results.models:
        means, seeds = results.rows_of(model, mean=True), results.rows_of(model, mean=False)
        values = means["accuracy"]
        within = seeds.groupby("universe")["accuracy"].agg(["var", "count"]).dropna()
        free = within["count"] - 1
        binomial = (values * (1 - values) / means["images"]).mean()
        rows.append(
            {
                "model": model,
                "title": results.titles[model],
                "universes": len(values),
                "lowest": values.min(),
                "median": values.median(),
                "highest": values.max(),
                "universes_sd": values.std(),
                "seeds_sd": _root((within["var"] * free).sum() / free.sum())
                if len(free)
                else np.nan,
                "images_sd": _root(binomial),
            }
        )
    return pd.DataFrame(rows)


def _root(value: float) -> float:
    return float(np.sqrt(value))


def variance(results: Results) -> pd.DataFrame:
    """``variance.csv``: type II sums of squares of accuracy; of all models together, and of the main one.

    Columns ``of``, ``source`` (a choice, ``model``, two of them joined by " x ", `HIGHER`, `SEED`),
    ``df``, ``sum_of_squares`` (squared fractions) and ``share`` of their total. Single trainings are the
    observations. `SEED` is what differs within a universe and model, `HIGHER` the rest. Empty where fewer
    than two universes are scored, or some choice was scored with one value alone.
    """
    tables = []
    for name, models in (
        (ALL_MODELS, results.models),
        (results.titles[results.main], [results.main]),
    ):
        rows = pd.concat([results.rows_of(model, mean=False) for model in models])
        sources = list(results.varied) + (["model"] if len(models) > 1 else [])
        if name == ALL_MODELS and len(models) < 2:
            continue
        tables.append(_anova(rows, sources).assign(of=name))
    columns = ["of", "source", "df", "sum_of_squares", "share"]
    return pd.concat(tables)[columns].reset_index(drop=True)


def _anova(rows: pd.DataFrame, sources: Sequence[str]) -> pd.DataFrame:
    columns = ["source", "df", "sum_of_squares", "share"]
    levels = [rows[source].nunique() for source in sources]
    if not sources or min(levels) < 2:
        return pd.DataFrame(columns=columns)
    short = {source: f"c{number}" for number, source in enumerate(sources)}
    data = rows[[*sources, "accuracy"]].rename(columns=short)
    pairs = list(itertools.combinations(short.values(), 2))
    complete = len(data.drop_duplicates(list(short.values()))) == int(np.prod(levels))
    size = 1 + sum(levels) + sum(a * b for a, b in itertools.combinations(levels, 2))
    terms = list(short.values())
    if complete and size <= _MOST_COLUMNS:
        terms += [":".join(pair) for pair in pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ols(f"accuracy ~ {' + '.join(terms)}", data).fit()
        table = anova_lm(fit, typ=2) if fit.df_resid > 0 else None
    if table is None:
        return pd.DataFrame(columns=columns)
    named = {code: source for source, code in short.items()}
    cells = data.groupby(list(short.values()))["accuracy"]
    own = float((cells.var(ddof=0) * cells.count()).sum())
    own_df = len(data) - cells.ngroups
    left = float(table.loc["Residual", "sum_sq"])
    found = [
        (" x ".join(named[code] for code in term.split(":")), int(row["df"]), float(row["sum_sq"]))
        for term, row in table.drop(index="Residual").iterrows()
    ]
    found.append((HIGHER, int(table.loc["Residual", "df"]) - own_df, max(left - own, 0.0)))
    found.append((SEED, own_df, own))
    total = sum(row[-1] for row in found)
    # what rounding leaves of nothing differs between machines
    found = [(*row[:2], row[-1] if row[-1] > _ROUNDING * total else 0.0) for row in found]
    kept = [(*row, row[-1] / total if total > 0 else np.nan) for row in found if row[1] > 0]
    return pd.DataFrame(kept, columns=columns)


def pairs(results: Results) -> pd.DataFrame:
    """``pairs.csv``: in how many universes the mean of a model is above that of another.

    Columns ``model``, ``other``, ``universes`` (both scored), ``wins``, ``ties``, ``losses`` and
    ``difference`` (mean over universes, as a fraction); each pair once, in the order of the models.
    """
    rows = []
    for model, other in itertools.combinations(results.models, 2):
        gap = (results.means[model] - results.means[other]).dropna().round(12)
        rows.append(
            {
                "model": model,
                "other": other,
                "universes": len(gap),
                "wins": int((gap > 0).sum()),
                "ties": int((gap == 0).sum()),
                "losses": int((gap < 0).sum()),
                "difference": float(gap.mean()) if len(gap) else np.nan,
            }
        )
    columns = ["model", "other", "universes", "wins", "ties", "losses", "difference"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class Ranking:
    """How the order of the models holds over universes."""

    universes: int
    """With all models scored, and not all of them alike."""
    tau: float
    """Kendall's tau-b, mean over pairs of universes; NaN with fewer than two."""
    best: dict[str, int]
    """In how many universes a model is best; ties count for each."""


def ranking(results: Results) -> Ranking:
    """Compare the order of the models between universes (Kendall 1945, doi:10.1093/biomet/33.3.239)."""
    means = results.means.dropna().round(12)
    best = means.eq(means.max(axis=1), axis=0).sum()
    left, right = np.triu_indices(means.shape[1], k=1)
    values = means.to_numpy()
    signs = np.sign(values[:, left] - values[:, right])
    ordered = np.abs(signs).sum(axis=1)
    signs, ordered = signs[ordered > 0], ordered[ordered > 0]
    count = len(signs)
    tau = np.nan
    if count > 1:
        unit = signs / np.sqrt(ordered)[:, None]
        # tau-b of two universes is the product of their rows: the sum over pairs needs no matrix
        tau = float(((unit.sum(axis=0) ** 2).sum() - count) / (count * (count - 1)))
    return Ranking(count, tau, {str(model): int(best[model]) for model in results.models})


def recalls(results: Results) -> pd.DataFrame:
    """Recall of each class (columns) in each universe (rows), main model, mean over its trials."""
    folder, rows = results.folder, {}
    for universe, stored in folder.universes:
        trials = [key for key in stored.trials if folder.record.trials[key].model == results.main]
        if not trials or not all(folder.record.trials[key].test for key in trials):
            continue
        found = []
        for key in trials:
            test = folder.record.trials[key].test
            part, classes = folder.parts[test], folder.record.tests[test].classes
            right = pd.Series(part.predicted[key] == part.truth)
            recall = right.groupby(part.truth).mean()
            found.append(recall.rename(index=dict(enumerate(classes))))
        rows[universe.name] = pd.concat(found, axis=1).mean(axis=1)
    return pd.DataFrame(rows).T.rename_axis("universe")


def class_recall(results: Results) -> pd.DataFrame:
    """``recall.csv``: recall of each class by the main model over universes, and the published one.

    Columns ``class``, ``lowest``, ``median``, ``highest`` (fractions, of means over seeds), ``is_lowest``
    and ``is_highest`` (in how many universes no other class has a lower or higher one), ``published``
    (NaN where not given) and ``reached`` (universes whose recall is at or above it).
    """
    table = recalls(results).round(12)
    target = results.target
    published = target.count.recall if target else {}
    rows = [
        {
            "class": name,
            "lowest": values.min(),
            "median": values.median(),
            "highest": values.max(),
            "is_lowest": int((values == table.min(axis=1)).sum()),
            "is_highest": int((values == table.max(axis=1)).sum()),
            "published": published.get(str(name), np.nan),
            "reached": int((values >= published[str(name)]).sum()) if name in published else pd.NA,
        }
        for name, values in table.items()
    ]
    columns = [
        "class",
        "lowest",
        "median",
        "highest",
        "is_lowest",
        "is_highest",
        "published",
        "reached",
    ]
    return pd.DataFrame(rows, columns=columns)
