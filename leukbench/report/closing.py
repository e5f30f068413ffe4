"""The closing sentences of a run: who leads, what colour alone gives, where the page lies."""

from __future__ import annotations

import pandas as pd

from leukbench.report.formats import SYNTHETIC, with_interval
from leukbench.runfolder import RunFolder
from leukbench.score import UNRANKED_FAMILIES

COLOUR = "probe_colour"


def closing_sentences(folder: RunFolder) -> list[str]:
    """Return three plain sentences on a run, from its ``comparison.csv``.

    The first compares the best and the last ranked model with the share of the most frequent class; the
    second says whether six colour numbers do as well; the third names the page.
    """
    table = pd.read_csv(folder.path / "comparison.csv")
    table["title"] = table["title"].str.removesuffix(f" [{SYNTHETIC}]")
    test = folder.split[folder.split["part"] == "test"]
    chance = float(test["label"].value_counts(normalize=True).max())
    ranked = table[(table["status"] == "ok") & ~table["family"].isin(UNRANKED_FAMILIES)]
    ranked = ranked.sort_values("accuracy", ascending=False, kind="stable")
    sentences = [_models(ranked, chance)]
    colour = table[(table["model"] == COLOUR) & (table["status"] == "ok")]
    if not len(colour):
        sentences.append("No colour probe was run, so nothing is said about shortcuts here.")
    elif len(ranked):
        sentences.append(_colour(colour.iloc[0], ranked.iloc[0], chance))
    page = folder.path / "report.html"
    sentences.append(f"Tables, figures and tests are on one page: {page} (--open shows it).")
    return sentences


def _words(row: pd.Series) -> str:
    return with_interval(row["accuracy"], row["accuracy_low"], row["accuracy_high"])


def _models(ranked: pd.DataFrame, chance: float) -> str:
    guess = f"always naming the most frequent class gives {chance:.0%}"
    if not len(ranked):
        return f"No model learned enough to be ranked; {guess}."
    first, last = ranked.iloc[0], ranked.iloc[-1]
    rest = "" if len(ranked) == 1 else f" and {last['title']} the lowest, {_words(last)}"
    return f"{first['title']} has the highest accuracy, {_words(first)}{rest}; {guess}."


def _colour(colour: pd.Series, best: pd.Series, chance: float) -> str:
    alone = f"Six colour numbers of an image, without any shape, give {_words(colour)}"
    if colour["accuracy_high"] >= best["accuracy_low"]:
        return (
            f"{alone}: a high accuracy on these images does not show that a model looks at cells."
        )
    if colour["accuracy_low"] <= chance:
        return f"{alone}, no better than chance: colour does not give these classes away."
    return f"{alone}, better than chance: part of every accuracy here may be colour."
