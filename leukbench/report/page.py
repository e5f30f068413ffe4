"""What stands on the page: plain values for the template, which escapes every one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leukbench.records import TrialRecord
from leukbench.report.audit_view import audit_counts, audit_findings, clean_accuracy
from leukbench.report.formats import (
    MISSING,
    NOT_REPORTED,
    count,
    flattened,
    interval,
    mean_count,
    number,
    percent,
    published_percent,
    seconds,
)
from leukbench.report.notes import footnotes, group_word, reproduce_command
from leukbench.report.results import INITIAL_WEIGHTS, Results, rows_of, source_text
from leukbench.report.tables import class_rows, published_cell
from leukbench.report.verdict import verdict
from leukbench.report.what_models_use import strip_name, used_view
from leukbench.score.metrics import METRICS, comparison_metrics

_TRACEBACK = 4000
Writer = Callable[[Any], str]


@dataclass(frozen=True)
class Column:
    """A column of the comparison: heading, key, how its numbers are written, None for text."""

    heading: str
    key: str
    write: Writer | None = percent

    @property
    def numeric(self) -> bool:
        """Whether it sorts as a number."""
        return self.write is not None


@dataclass(frozen=True)
class Cell:
    """Text of a cell, what it sorts by, and the small print beside it."""

    text: str
    sort: str
    small: str = ""


_SHARES = ("accuracy", "precision", "recall", "specificity", "f1")
_COSTS = (
    Column("Parameters", "parameters", count),
    Column("Training", "train_seconds", seconds),
    Column("ms per image", "predict_ms_per_image", number),
    Column("Memory", "peak_memory_mb", "{:.0f} MiB".format),
    Column("Trials", "trials", count),
)


def _columns(results: Results) -> tuple[Column, ...]:
    """Scores of the paper, published values, other scores, costs, sources; all metrics that compare."""
    others = [name for name in comparison_metrics() if name not in (*_SHARES, "balanced_accuracy")]
    weights = [Column("Initial weights", INITIAL_WEIGHTS, None)] if results.fine_tuned else []
    return (
        *(Column(METRICS[name].title, name) for name in _SHARES),
        Column("Published accuracy", "published_accuracy"),
        *(Column(METRICS[name].title, name, number) for name in others),
        *_COSTS,
        Column("Published source", "published_source", None),
        *weights,
    )


def page(results: Results, sources: Mapping[str, str]) -> dict[str, Any]:
    """Return what the template shows beside the figures; `sources` hold the heat maps."""
    run = results.folder.run
    columns = _columns(results)
    return {
        "title": f"{run.dataset.title}, protocol {run.protocol.name}",
        "synthetic": results.folder.synthetic,
        "run": run,
        "verdict": verdict(results),
        "columns": columns,
        "rows": _rows(results, columns),
        "families": list(dict.fromkeys(results.comparison["family"])),
        "notes": footnotes(results),
        "models": _models(results, sources),
        "pairs": _pairs(results),
        "audit": _audit(results),
        "protocol": _definitions(_protocol(results)),
        "parts": _parts(results),
        "environment": _definitions(run.environment.model_dump(mode="json")),
        "command": reproduce_command(results),
    }


def _protocol(results: Results) -> dict[str, Any]:
    """The protocol; where tables of predictions were scored, what is known of one."""
    values = results.folder.run.protocol.model_dump(mode="json")
    outside = results.folder.run.outside
    if outside is None or outside.kind != "predictions":
        return values
    known = {key: values[key] for key in ("name", "title", "description")}
    return {**known, "predictions": list(outside.sources)}


def _definitions(values: Mapping[str, Any]) -> dict[str, str]:
    """Nested values as dotted keys and text."""
    return {
        key: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in flattened(values)
    }


def _rows(results: Results, columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    groups = results.pairs.groups if results.pairs else pd.DataFrame(columns=["model", "letters"])
    letters = dict(zip(groups["model"], groups["letters"], strict=True))
    ranked = set(results.ranked["model"])
    return [
        {
            "anchor": f"model-{position}",
            "title": row["title"],
            "family": row["family"],
            "status": row["status"],
            "ranked": row["model"] in ranked,
            "letters": letters.get(row["model"], ""),
            "cells": [_cell(column, row, results) for column in columns],
        }
        for position, row in enumerate(rows_of(results.comparison))
    ]


def _cell(column: Column, row: Mapping[str, Any], results: Results) -> Cell:
    value = row[column.key]
    if column.key == "published_accuracy":
        published = results.published.get(row["model"])
        digits = published_percent(published.accuracy) if published else ""
        return Cell(published_cell(published), digits.removesuffix(" %"))
    if column.write is None:
        return Cell(value or MISSING, value)
    if pd.isna(value):
        return Cell(MISSING, "")
    small = ""
    if column.key == "accuracy":
        small = interval(row["accuracy_low"], row["accuracy_high"])
    elif column.key == "trials":
        small = results.coverage.get(row["model"], "")
    return Cell(column.write(float(value)), repr(float(value)), small)


def _models(results: Results, sources: Mapping[str, str]) -> list[dict[str, Any]]:
    table = results.classification
    models = []
    for position, row in enumerate(rows_of(results.comparison)):
        name = row["model"]
        records = results.records[name]
        heat = sources.get(strip_name(name), "")
        models.append(
            {
                "anchor": f"model-{position}",
                "title": row["title"],
                "facts": _facts(row, records[0]),
                "published": _published(results, row),
                "departures": records[0].departures,
                "classes": class_rows(table[table["model"] == name]),
                "confusion": _confusion(results, name),
                "used": used_view(results, name, drawn=bool(heat)),
                "heat": heat,
                "trials": _trials(results, name),
                "layers": results.layers.get(name, []),
                "failures": [(r, r.traceback[-_TRACEBACK:]) for r in results.failures(name)],
            }
        )
    return models


def _facts(row: Mapping[str, Any], record: TrialRecord) -> dict[str, str]:
    facts = {
        "Name": row["model"],
        "Family": row["family"],
        "Status": row["status"],
        "Source": record.reference,
        "Training": record.recipe,
        "Numbers in training": record.precision,
        "Parameters": count(row["parameters"]),
        "FLOPs per image": count(row["flops"]),
        "Balanced accuracy": percent(row["balanced_accuracy"]),
    }
    return {key: text for key, text in facts.items() if text and text != MISSING}


def _published(results: Results, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Printed and measured values side by side, in columns of their own."""
    published = results.published.get(row["model"])
    if published is None:
        return None
    printed = {name: published_percent(getattr(published, name)) for name in _SHARES}
    rows = [
        (name.capitalize(), text or NOT_REPORTED, percent(row[name]))
        for name, text in printed.items()
    ]
    return {"source": source_text(published), "rows": rows}


def _confusion(results: Results, name: str) -> list[tuple[str, list[tuple[str, str, int]]]]:
    """Rows of a confusion matrix: percent of the row, images, and a shade from 0 to 9."""
    if name not in results.confusion:
        return []
    counts = results.confusion[name]
    cells = counts.to_numpy(dtype=np.float64)
    totals = cells.sum(axis=1, keepdims=True)
    shares = np.divide(cells, totals, out=np.zeros_like(cells), where=totals > 0)
    return [
        (
            label,
            [
                (percent(share, 0), mean_count(images), int(9 * share))
                for share, images in zip(*row, strict=True)
            ],
        )
        for label, *row in zip(counts.index, shares, cells, strict=True)
    ]


def _trials(results: Results, name: str) -> list[list[str]]:
    members = results.members[name].members if name in results.members else ()
    accuracy = {(m.fold, m.seed): percent(float(m.arrays.correct.mean())) for m in members}
    return [
        [
            str(record.fold), str(record.seed), record.status,
            accuracy.get((record.fold, record.seed), MISSING), seconds(record.fit_seconds),
            str(record.threads or MISSING), record.key[:12],
        ]
        for record in results.records[name]
    ]  # fmt: skip


def _pairs(results: Results) -> dict[str, Any] | None:
    if results.pairs is None:
        return None
    table = results.pairs.pairs
    rows = [
        [
            results.titles[row["model_a"]],
            results.titles[row["model_b"]],
            f"{100 * row['difference']:+.2f}",
            interval(row["low"], row["high"]),
            f"{row['p_holm']:.2g}",
            "yes" if row["different"] else "no",
            row["test"],
        ]
        for row in rows_of(table[table["ranked"]])
    ]
    groups = [
        [row["title"], percent(row["accuracy"]), row["letters"]]
        for row in rows_of(results.pairs.groups)
    ]
    return {"rows": rows, "groups": groups, "order": _file_order(results)}


def _file_order(results: Results) -> dict[str, Any] | None:
    """Dependence of errors along the order of files, and intervals where neighbours are one group."""
    order = results.file_order
    if order is None:
        return None
    bounds = {(row["model"], row["length"]): row for row in rows_of(order.intervals)}
    rows = [
        [
            results.titles[row["model"]],
            f"{row['p']:.2g}",
            *(
                interval(bounds[row["model"], n]["low"], bounds[row["model"], n]["high"])
                for n in order.leaders
            ),
        ]
        for row in rows_of(order.dependence)
    ]
    return {"head": ["Model", "p", *(f"Runs of {n}" for n in order.leaders)], "rows": rows}


def _audit(results: Results) -> dict[str, Any] | None:
    report = results.folder.audit
    if report is None:
        return None
    return {
        "lines": report.lines(),
        "counts": audit_counts(report),
        "findings": audit_findings(report),
        "total": len(report.findings),
        "null": report.null,
        "clean": [
            [row["title"], percent(row["accuracy"]), percent(row["clean"]), percent(row["leaked"])]
            for row in rows_of(clean_accuracy(results))
        ],
    }


def _parts(results: Results) -> dict[str, Any]:
    """Images of each fold and part, by class."""
    split = results.folder.split
    counts = split.groupby(["fold", "part", "label"]).size().unstack(fill_value=0)
    order = {"train": 0, "validation": 1, "test": 2}
    keys = sorted(counts.index, key=lambda key: (key[0], order.get(key[1], 3)))
    return {
        "classes": [str(name) for name in counts.columns],
        "rows": [
            [
                str(fold),
                part,
                *map(str, counts.loc[(fold, part)]),
                str(counts.loc[(fold, part)].sum()),
            ]
            for fold, part in keys
        ],
        "groups": group_word(results) if results.groups else "none known",
    }
