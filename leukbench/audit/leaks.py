"""What gives the answer away: label conflicts, file properties, and partners across the split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from leukbench.audit.findings import IDENTICAL, AuditReport, Finding, FoldOverlap
from leukbench.data.dataset import Dataset
from leukbench.data.splits import SEEN
from leukbench.errors import LeakageError
from leukbench.score.intervals import wilson

GIVEAWAY_POINTS = 0.05
FOLDS = 5
_SHOWN = 5


def label_conflicts(findings: Sequence[Finding]) -> list[Finding]:
    """Duplicates, exact or near, that stand under more than one label, as findings of their own."""
    return [
        finding.model_copy(update={"kind": "label-conflict", "note": finding.kind})
        for finding in findings
        if finding.kind in (*IDENTICAL, "near-duplicate") and finding.crosses_classes
    ]


def giveaways(dataset: Dataset, properties: Mapping[str, Sequence[str]]) -> list[Finding]:
    """File properties from which the class can be guessed without looking at a pixel.

    A rule that names, for each value of the property, the class most frequent there is measured by
    stratified cross-validation. It is a finding where the lower end of its accuracy's Wilson
    interval exceeds the share of the majority class by five points or more. `properties` holds the
    value of each property for each image.
    """
    findings = []
    majority = max(dataset.counts.values()) / len(dataset)
    folds = min(FOLDS, *dataset.counts.values())
    if folds < 2:
        return []
    for name, values in properties.items():
        if len(set(values)) < 2:
            continue
        rule = make_pipeline(OneHotEncoder(handle_unknown="ignore"), DecisionTreeClassifier())
        rule.set_params(decisiontreeclassifier__random_state=0)
        column = np.array(values, dtype=object).reshape(-1, 1)
        folding = StratifiedKFold(folds, shuffle=True, random_state=0)
        guessed = cross_val_predict(rule, column, dataset.targets, cv=folding)
        right = int((guessed == dataset.targets).sum())
        if wilson(right, len(dataset))[0] >= majority + GIVEAWAY_POINTS:
            findings.append(_giveaway(dataset, name, values, right / len(dataset), majority))
    return findings


def components(count: int, links: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Number of the connected component of each of `count` images.

    >>> components(4, [(0, 2), (2, 3)]).tolist()
    [0, 1, 0, 0]
    """
    pairs = np.array(list(links), dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def split_overlap(
    findings: Sequence[Finding], split: pd.DataFrame, same: Mapping[str, str]
) -> list[FoldOverlap]:
    """Which test images have a partner in the training or validation part, fold by fold.

    `same` names, for each image, the first one with the same pixels: a partner of one is a partner of
    all.
    """
    partners = _partners(findings, same)
    copies: dict[str, list[str]] = defaultdict(list)
    for image, first in same.items():
        copies[first].append(image)
    folds = []
    for fold, rows in split.groupby("fold", sort=True):
        held = rows["part"] == "test"
        tested = [str(image) for image in rows.loc[held, "image"]]
        seen = {str(image) for image in rows.loc[rows["part"].isin(SEEN), "image"]}
        seen_content = {same[image] for image in seen}
        tally: Counter[str] = Counter()
        clean, examples = [], []
        for image in tested:
            kinds = {
                kind
                for kind, others in partners[same[image]].items()
                if not others.isdisjoint(seen_content)
            }
            if same[image] in seen_content:
                kinds.add("identical")
                examples.append((image, min(seen.intersection(copies[same[image]]))))
            tally.update(kinds | ({"leaked"} if kinds else set()))
            if not kinds:
                clean.append(image)
        folds.append(
            FoldOverlap(
                fold=int(str(fold)),
                test=len(tested),
                identical=tally["identical"],
                near=tally["near-duplicate"],
                overlapping=tally["overlapping-field"],
                leaked=tally["leaked"],
                clean=tuple(clean),
                examples=tuple(examples[:_SHOWN]),
            )
        )
    return folds


def refuse_leakage(report: AuditReport, allow: bool) -> None:
    """Raise a LeakageError where the same image stands in training and test, unless that is allowed."""
    worst = max(report.split, key=lambda fold: fold.identical, default=None)
    if allow or worst is None or not worst.identical:
        return
    test, train = worst.examples[0]
    raise LeakageError(
        f"{worst.identical} of {worst.test} test images of fold {worst.fold} have an identical "
        f"copy in training ({test} is {train}): take the split policy grouped, remove the copies, or "
        "allow it with allow_duplicates_across_split in the protocol."
    )


def _giveaway(
    dataset: Dataset, name: str, values: Sequence[str], accuracy: float, majority: float
) -> Finding:
    table: dict[str, Counter[str]] = defaultdict(Counter)
    example: dict[str, int] = {}
    for index, (value, label) in enumerate(zip(values, dataset.labels.tolist(), strict=True)):
        table[value][label] += 1
        example.setdefault(value, index)
    common = sorted(table, key=lambda value: (-table[value].total(), value))[:_SHOWN]
    shares = "; ".join(
        f"{value}: " + ", ".join(f"{label} {n}" for label, n in sorted(table[value].items()))
        for value in common
    )
    more = f"; and {len(table) - _SHOWN} more values" if len(table) > _SHOWN else ""
    return Finding(
        kind="giveaway",
        files=tuple(dataset.paths[example[value]] for value in common),
        labels=tuple(str(dataset.labels[example[value]]) for value in common),
        measures={"accuracy": accuracy, "majority": majority, "values": len(table)},
        note=f"{name} alone gives {accuracy:.3f} accuracy ({shares}{more})",
    )


def _partners(
    findings: Sequence[Finding], same: Mapping[str, str]
) -> defaultdict[str, dict[str, set[str]]]:
    """Near and overlapping partners of each content, by kind."""
    partners: defaultdict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for finding in findings:
        if finding.kind in ("near-duplicate", "overlapping-field"):
            first, second = (same[path] for path in finding.files)
            partners[first][finding.kind].add(second)
            partners[second][finding.kind].add(first)
    return partners
