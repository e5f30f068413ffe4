"""What the numbers say, in sentences: warnings first, then who leads, then what was reproduced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import pandas as pd

from leukbench.report.audit_view import divided_patients, partner_sentences, rare_classes
from leukbench.report.formats import (
    SYNTHETIC,
    joined,
    percent,
    published_fraction,
    published_percent,
    with_interval,
)
from leukbench.report.results import Results, rows_of
from leukbench.score.intervals import MIN_GROUPS

SHUFFLED = "probe_shuffled"

Kind = Literal["warning", "finding", "note"]

PAPER_PROTOCOL = "paper"
"""Name of the protocol that the published values with ``same_data`` belong to."""


@dataclass(frozen=True)
class Sentence:
    """One sentence of the verdict: a warning, a finding, or a note of less weight."""

    kind: Kind
    text: str


@lru_cache(maxsize=1)  # tables and page of one run say the same
def verdict(results: Results) -> tuple[Sentence, ...]:
    """Return all sentences in the order in which a reader needs them.

    Patients on both sides of the split stand first, then a probe that comes within the interval of the
    best model, then the word SYNTHETIC.
    """
    parts: list[tuple[Kind, Iterable[str]]] = [
        ("warning", divided_patients(results.folder)),
        ("warning", _probe_warning(results)),
        ("warning", _synthetic(results)),
        ("warning", _shuffled(results)),
        ("warning", partner_sentences(results)),
        ("warning", _coverage(results)),
        ("warning", _few_groups(results)),
        ("warning", rare_classes(results)),
        ("finding", _leader(results)),
        ("finding", _file_order(results)),
        ("finding", _resolution(results)),
        ("finding", _reproduced(results)),
        ("note", _elsewhere(results)),
        ("note", _probe_finding(results)),
        ("note", _scope(results)),
        ("note", _unfinished(results)),
    ]
    return tuple(Sentence(kind, text) for kind, texts in parts for text in texts)


def warnings(results: Results) -> list[str]:
    """Return the sentences that stand over every table."""
    return [sentence.text for sentence in verdict(results) if sentence.kind == "warning"]


def _row_words(row: pd.Series, results: Results) -> str:
    value = with_interval(row["accuracy"], row["accuracy_low"], row["accuracy_high"])
    folds = results.coverage.get(row["model"])
    on = f", on {folds}" if folds else ""
    return f"{row['title']} ({value.replace(' (', ', 95 % interval ').removesuffix(')')}{on})"


def _coverage(results: Results) -> Iterator[str]:
    """Which models were tested on fewer folds than others, so on other images."""
    names: dict[str, list[str]] = {}
    for name, folds in results.coverage.items():
        names.setdefault(folds, []).append(results.titles[name])
    if names:
        tested = joined([f"{joined(titles)} on {folds}" for folds, titles in names.items()])
        yield (
            f"Not every model was tested on all images: {tested}. Mean accuracies of different folds "
            "compare only roughly; the paired tests take the folds that two models share, and models "
            "on fewer than three folds of several are not ranked."
        )


def _rivals(results: Results) -> pd.DataFrame:
    """Probes whose accuracy reaches the lower bound of the best model's interval."""
    if results.ranked.empty:
        return results.probes.iloc[:0]
    best = results.ranked.iloc[0]
    bound = best["accuracy_low"] if pd.notna(best["accuracy_low"]) else best["accuracy"]
    probes: pd.DataFrame = results.probes[results.probes["accuracy"] >= bound]
    return probes


def _probe_warning(results: Results) -> Iterator[str]:
    rivals = _rivals(results)
    if rivals.empty:
        return
    pairs = zip(rivals["title"], rivals["accuracy"], strict=True)
    names = joined([f"{_probe_name(title)} ({percent(accuracy)})" for title, accuracy in pairs])
    come = "probes {} come" if len(rivals) > 1 else "probe {} comes"
    yield (
        "A high accuracy here does not show that a model looks at the cells: the shortcut "
        f"{come.format(names)} within the interval of the best model, "
        f"{_row_words(results.ranked.iloc[0], results)}, or above it."
    )


def _probe_name(title: str) -> str:
    """A probe's title without the word that the sentence says already."""
    return f"“{title.removeprefix('Probe: ')}”"


def _probe_finding(results: Results) -> Iterator[str]:
    if not results.probes.empty and not results.ranked.empty and _rivals(results).empty:
        best = results.probes.iloc[0]
        yield (
            f"The best shortcut probe, {_probe_name(best['title'])}, reaches "
            f"{percent(best['accuracy'])}, below the interval of the best model."
        )


def _synthetic(results: Results) -> Iterator[str]:
    if results.folder.synthetic:
        yield (
            f"{SYNTHETIC}: the images are rendered, not photographed; no number here says anything "
            "about patients."
        )


def _shuffled(results: Results) -> Iterator[str]:
    """The control with shuffled labels has nothing to learn from and must fall to chance."""
    split = results.folder.split
    chance = split.loc[split["part"] == "test", "label"].value_counts(normalize=True).max()
    for row in rows_of(results.probes[results.probes["model"] == SHUFFLED]):
        if row["accuracy_low"] > chance:
            yield (
                f"The control with shuffled labels scores {percent(row['accuracy'])}, above the "
                f"majority class ({percent(chance)}): the split or the scoring leaks."
            )


def _few_groups(results: Results) -> list[str]:
    if results.effective_groups >= MIN_GROUPS:
        return []
    return [
        f"The test images come from effectively {results.effective_groups:.1f} groups: too few for "
        "intervals that hold what they promise, so that nothing general follows from them."
    ]


def _leader(results: Results) -> list[str]:
    ranked = results.ranked
    if ranked.empty:
        folds = " on three folds or more" if len(results.folds) > 1 else ""
        return [f"No model is ranked: none has all of its trials with status ok{folds}."]
    best = ranked.iloc[0]
    words = _row_words(best, results)
    if len(ranked) == 1:
        return [f"{words} is the only model that is ranked."]
    if results.pairs is None:
        return [f"{words} has the highest accuracy; no two models share a fold to compare."]
    equal = [results.titles[name] for name in results.pairs.leaders if name != best["model"]]
    trained = results.pairs.trained
    of = " of these trained models" if trained else ""
    if equal:
        return [
            f"{words} has the highest accuracy{of}; the paired test finds no significant difference "
            f"between it and {joined(equal)} (Holm's correction)."
        ]
    other = "one of these trained models" if trained else "ranked model"
    worse = f"every other {other} is worse by the paired test, after Holm's correction"
    if results.file_order and results.file_order.changes(results.pairs.leaders):
        return [
            f"{words} has the highest accuracy, and {worse}, as long as neighbouring files count as "
            "independent; they are not."
        ]
    return [f"{words} leads: {worse}."]


def _file_order(results: Results) -> list[str]:
    """Whether neighbouring files are alike, and who then leads too."""
    order, pairs = results.file_order, results.pairs
    if order is None or pairs is None or not order.dependent:
        return []
    table = order.dependence
    some = int((table["p_holm"] < order.alpha).sum())
    text = (
        f"The errors of {some} of {len(table)} ranked models depend on the order of files within a "
        f"class (permutation test, smallest p {table['p_holm'].min():.2g})"
    )
    length = order.changes(pairs.leaders)
    if length is None:
        return [
            f"{text}; with up to {max(order.leaders)} neighbours as one group no verdict changes."
        ]
    names = [results.titles[n] for n in order.leaders[length] if n not in pairs.leaders]
    return [
        f"{text}: with runs of {length} neighbours as one group, {joined(names)} "
        f"{'does' if len(names) == 1 else 'do'} not differ significantly from the best model either."
    ]


def _resolution(results: Results) -> list[str]:
    """How small a difference the tests could have shown, after the correction that they have."""
    if results.pairs is None or len(results.ranked) < 2:
        return []
    smallest = float(results.pairs.smallest_difference["smallest_difference"].iloc[-1])
    if not smallest > 0:
        return []
    of = "these trained models" if results.pairs.trained else "the ranked models"
    return [
        f"The tests between {of}, after Holm's correction, detect a true difference of "
        f"{100 * smallest:.1f} points of accuracy with {percent(results.pairs.power, 0)} power; a "
        "smaller one may go unnoticed."
    ]


def _scope(results: Results) -> list[str]:
    if results.pairs is None or len(results.ranked) < 2 or not results.pairs.trained:
        return []
    return [
        "The tests compare these trained models: with fewer than three seeds of a model they cannot "
        "tell what other seeds would give."
    ]


def _published_rows(results: Results, *, same_data: bool) -> list[dict[str, Any]]:
    """Rows of the models whose accuracy was published, for this data set or for another."""
    names = {
        name
        for name, published in results.published.items()
        if published.accuracy and published.same_data is same_data
    }
    return [row for row in rows_of(results.comparison) if row["model"] in names]


def _reproduced(results: Results) -> Iterator[str]:
    name = results.folder.run.protocol.name
    under = (
        "" if name == PAPER_PROTOCOL else f" under the protocol {name}, which is not the paper's"
    )
    for row in _published_rows(results, same_data=True):
        printed = published_fraction(row["published_accuracy"])
        if printed is None or pd.isna(row["accuracy"]):
            continue
        value = f"{row['title']}: published {published_percent(row['published_accuracy'])}"
        measured = with_interval(row["accuracy"], row["accuracy_low"], row["accuracy_high"])
        if row["accuracy_low"] <= printed <= row["accuracy_high"]:
            outcome = "the published value was reproduced, it lies within the interval"
        else:
            gap = 100 * (row["accuracy"] - printed)
            side = "below" if gap < 0 else "above"
            outcome = (
                "the published value could not be reproduced, the measured one is "
                f"{abs(gap):.1f} points {side} it"
            )
        yield f"{value}, measured {measured}{under}: {outcome}."


def _elsewhere(results: Results) -> Iterator[str]:
    others = _published_rows(results, same_data=False)
    if others:
        yield (
            f"The published values of {joined([row['title'] for row in others])} (marked †) were "
            "measured on another data set: they are shown for orientation, not to be reproduced here."
        )


def _unfinished(results: Results) -> Iterator[str]:
    for name, title in results.titles.items():
        if bad := results.failures(name):
            number = len(results.records[name])
            reason = f": {bad[0].reason.rstrip('.')}" if bad[0].reason else ""
            yield (
                f"{title} is not ranked: {len(bad)} of {number} "
                f"{'trial' if number == 1 else 'trials'} ended {bad[0].status}{reason}."
            )
