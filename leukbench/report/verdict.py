"""What the numbers say, in sentences: warnings first, then who leads, then what came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import pandas as pd

from leukbench.report.audit_view import partner_sentences
from leukbench.report.formats import (
    SYNTHETIC,
    joined,
    percent,
    published_fraction,
    published_percent,
    with_interval,
)
from leukbench.report.results import OTHER_DATA, SAME_DATA, Results

SHUFFLED = "probe_shuffled"

Kind = Literal["warning", "finding", "note"]

PAPER_PROTOCOL = "paper"
"""Name of the protocol that the published values with ``same_data`` belong to."""


@dataclass(frozen=True)
class Sentence:
    """One sentence of the verdict, and how loud it is said."""

    kind: Kind
    text: str


_SAID: WeakKeyDictionary[Results, list[Sentence]] = WeakKeyDictionary()


def verdict(results: Results) -> list[Sentence]:
    """Return all sentences in the order in which a reader needs them.

    A probe that comes within the interval of the best model stands first, then the word SYNTHETIC.
    Tables and page say the same, so that it is found once for each `Results`.
    """
    if results not in _SAID:
        _SAID[results] = _sentences(results)
    return list(_SAID[results])


def _sentences(results: Results) -> list[Sentence]:
    parts: list[tuple[Kind, Sequence[str]]] = [
        ("warning", _probe_warning(results)),
        ("warning", _synthetic(results)),
        ("warning", _shuffled(results)),
        ("warning", partner_sentences(results)),
        ("warning", _coverage(results)),
        ("finding", _leader(results)),
        ("finding", _resolution(results)),
        ("finding", _came_back(results)),
        ("note", _elsewhere(results)),
        ("note", _probe_finding(results)),
        ("note", _unfinished(results)),
    ]
    return [Sentence(kind, text) for kind, texts in parts for text in texts]


def warnings(results: Results) -> list[str]:
    """Return the sentences that stand over every table."""
    return [sentence.text for sentence in verdict(results) if sentence.kind == "warning"]


def _row_words(row: pd.Series, results: Results) -> str:
    value = with_interval(row["accuracy"], row["accuracy_low"], row["accuracy_high"])
    folds = results.coverage.get(row["model"])
    on = f", on {folds}" if folds else ""
    return f"{row['title']} ({value.replace(' (', ', interval ').removesuffix(')')}{on})"


def _coverage(results: Results) -> list[str]:
    """Which models were tested on fewer folds than others, so on other images."""
    names: dict[str, list[str]] = {}
    for name, folds in results.coverage.items():
        names.setdefault(folds, []).append(results.titles[name])
    if not names:
        return []
    tested = joined([f"{joined(titles)} on {folds}" for folds, titles in names.items()])
    return [
        f"Not every model was tested on all images: {tested}. Mean accuracies of different folds "
        "compare only roughly; the paired tests take the folds that two models share."
    ]


def _rivals(results: Results) -> pd.DataFrame:
    """Probes whose accuracy reaches the lower bound of the best model's interval."""
    if results.ranked.empty:
        return results.probes.iloc[:0]
    best = results.ranked.iloc[0]
    bound = best["accuracy_low"] if pd.notna(best["accuracy_low"]) else best["accuracy"]
    probes: pd.DataFrame = results.probes[results.probes["accuracy"] >= bound]
    return probes


def _probe_warning(results: Results) -> list[str]:
    rivals = _rivals(results)
    if rivals.empty:
        return []
    pairs = zip(rivals["title"], rivals["accuracy"], strict=True)
    names = joined([f"{_probe_name(title)} ({percent(accuracy)})" for title, accuracy in pairs])
    some = "shortcut probes" if len(rivals) > 1 else "shortcut probe"
    come = "come" if len(rivals) > 1 else "comes"
    return [
        f"A model need not look at cells to score as well here: the {some} {names} {come} within "
        f"the interval of the best model, {_row_words(results.ranked.iloc[0], results)}, or above it."
    ]


def _probe_name(title: str) -> str:
    """A probe's title without the word that the sentence says already."""
    name = title.removeprefix("Probe: ")
    return f"“{name}”"


def _probe_finding(results: Results) -> list[str]:
    if results.probes.empty or results.ranked.empty or not _rivals(results).empty:
        return []
    best = results.probes.iloc[0]
    return [
        f"The best shortcut probe, {_probe_name(best['title'])}, reaches "
        f"{percent(best['accuracy'])}, below the interval of the best model."
    ]


def _synthetic(results: Results) -> list[str]:
    if not results.folder.synthetic:
        return []
    return [
        f"{SYNTHETIC}: the images are rendered, not photographed; no number here says anything "
        "about patients."
    ]


def _shuffled(results: Results) -> list[str]:
    """The control with shuffled labels has nothing to learn from and must fall to chance."""
    rows = results.probes[results.probes["model"] == SHUFFLED]
    if rows.empty:
        return []
    row, split = rows.iloc[0], results.folder.split
    chance = split.loc[split["part"] == "test", "label"].value_counts(normalize=True).max()
    if pd.isna(row["accuracy_low"]) or row["accuracy_low"] <= chance:
        return []
    return [
        f"The control with shuffled labels scores {percent(row['accuracy'])}, above the majority "
        f"class ({percent(chance)}): the split or the scoring leaks."
    ]


def _leader(results: Results) -> list[str]:
    ranked = results.ranked
    if ranked.empty:
        return ["No model is ranked: none has all of its trials with status ok."]
    best = ranked.iloc[0]
    words = _row_words(best, results)
    if len(ranked) == 1:
        return [f"{words} is the only model that is ranked."]
    if results.pairs is None:
        return [f"{words} has the highest accuracy; no two models share a fold to compare."]
    equals = [results.titles[name] for name in results.pairs.leaders if name != best["model"]]
    if not equals:
        return [
            f"{words} leads: every other ranked model is worse by the paired test, "
            "after Holm's correction."
        ]
    tell = "is the only one that the paired test cannot tell" if len(equals) == 1 else (
        "cannot be told"
    )  # fmt: skip
    return [
        f"{words} has the highest accuracy; {joined(equals)} {tell} apart from it "
        "(paired test, Holm's correction)."
    ]


def _resolution(results: Results) -> list[str]:
    """How small a difference the test images could have shown."""
    if results.pairs is None or len(results.ranked) < 2:
        return []
    found = results.pairs.smallest_difference
    smallest = float(found["smallest_difference"].iloc[0])
    if not smallest > 0:
        return []
    return [
        f"For one planned pair of models, these test images show a difference of "
        f"{100 * smallest:.1f} points of accuracy with {percent(results.pairs.power, 0)} power; "
        "smaller ones may go unseen."
    ]


def _published(results: Results, where: str) -> pd.DataFrame:
    rows = results.comparison
    return rows[rows["published_source"].str.endswith(f"; {where}")]


def _came_back(results: Results) -> list[str]:
    sentences = []
    name = results.folder.run.protocol.name
    under = (
        "" if name == PAPER_PROTOCOL else f" under the protocol {name}, which is not the paper's"
    )
    for row in _published(results, SAME_DATA).to_dict("records"):
        printed = published_fraction(row["published_accuracy"])
        if printed is None or pd.isna(row["accuracy"]):
            continue
        value = f"{row['title']}: published {published_percent(row['published_accuracy'])}"
        measured = with_interval(row["accuracy"], row["accuracy_low"], row["accuracy_high"])
        if row["accuracy_low"] <= printed <= row["accuracy_high"]:
            came = "it came back, the published value lies in the interval"
        else:
            gap = 100 * (row["accuracy"] - printed)
            side = "below" if gap < 0 else "above"
            came = f"it did not come back, the measured value is {abs(gap):.1f} points {side}"
        sentences.append(f"{value}, measured {measured}{under}: {came}.")
    return sentences


def _elsewhere(results: Results) -> list[str]:
    others = _published(results, OTHER_DATA)
    if others.empty:
        return []
    names = joined(others["title"].tolist())
    return [
        f"The published values of {names} (marked †) were measured on another data set: they are "
        "shown, and are no target here."
    ]


def _unfinished(results: Results) -> list[str]:
    sentences = []
    for name, title in results.titles.items():
        bad = results.failures(name)
        if bad:
            number = len(results.records[name])
            reason = f": {bad[0].reason.rstrip('.')}" if bad[0].reason else ""
            sentences.append(
                f"{title} is not ranked: {len(bad)} of {number} "
                f"{'trial' if number == 1 else 'trials'} ended {bad[0].status}{reason}."
            )
    return sentences
