"""What stands on the page: plain values for the template, which escapes every one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leukbench.records import TrialRecord
from leukbench.report import audit_view
from leukbench.report.explanations import explanation_of
from leukbench.report.formats import (
    MISSING,
    NOT_REPORTED,
    count,
    interval,
    number,
    percent,
    published_percent,
    seconds,
)
from leukbench.report.images import Images, data_uri, embedded, strip_name
from leukbench.report.notes import footnotes, group_word
from leukbench.report.reproduce import reproduce_command
from leukbench.report.results import INITIAL_WEIGHTS, Results, rows_of
from leukbench.report.tables import published_cell
from leukbench.report.verdict import verdict

_TRACEBACK = 4000


@dataclass(frozen=True)
class Column:
    """A column of the comparison: heading, key, and whether it sorts as a number."""

    heading: str
    key: str
    numeric: bool = True


COLUMNS = (
    Column("Accuracy", "accuracy"),
    Column("Precision", "precision"),
    Column("Recall", "recall"),
    Column("Specificity", "specificity"),
    Column("F1", "f1"),
    Column("Published accuracy", "published_accuracy"),
    Column("Published source", "published_source", numeric=False),
    Column("MCC", "mcc"),
    Column("AUROC", "auroc"),
    Column("Brier", "brier"),
    Column("ECE", "ece"),
    Column("Parameters", "parameters"),
    Column("Training", "train_seconds"),
    Column("ms / image", "predict_ms_per_image"),
    Column("Memory", "peak_memory_mb"),
    Column("Trials", "trials"),
)


def page(results: Results, images: Images) -> dict[str, Any]:
    """Return everything that the template shows."""
    run = results.folder.run
    return {
        "title": f"{run.dataset.title}, protocol {run.protocol.name}",
        "synthetic": results.folder.synthetic,
        "run": run,
        "verdict": verdict(results),
        "columns": _columns(results),
        "rows": _rows(results),
        "families": list(dict.fromkeys(results.comparison["family"])),
        "notes": footnotes(results),
        "figures": embedded(images),
        "models": _models(results, images),
        "pairs": _pairs(results),
        "audit": _audit(results),
        "protocol": dict(_flat(run.protocol.model_dump(mode="json"))),
        "parts": _parts(results),
        "environment": dict(_flat(run.environment.model_dump(mode="json"))),
        "command": reproduce_command(results),
    }


def _columns(results: Results) -> tuple[Column, ...]:
    weights = Column("Initial weights", INITIAL_WEIGHTS, numeric=False)
    return (*COLUMNS, weights) if results.fine_tuned else COLUMNS


def _rows(results: Results) -> list[dict[str, Any]]:
    letters: dict[str, str] = {}
    if results.pairs is not None:
        groups = results.pairs.groups
        letters = dict(zip(groups["model"], groups["letters"], strict=True))
    rows = []
    for place, row in enumerate(rows_of(results.comparison)):
        cells = [_cell(column, row, results) for column in _columns(results)]
        rows.append(
            {
                "place": place,
                "anchor": f"model-{place}",
                "model": row["model"],
                "title": row["title"],
                "family": row["family"],
                "status": row["status"],
                "ranked": row["model"] in set(results.ranked["model"]),
                "letters": letters.get(row["model"], ""),
                "cells": cells,
            }
        )
    return rows


def _cell(column: Column, row: Mapping[str, Any], results: Results) -> dict[str, str]:
    """Text of a cell, what it sorts by, and the small print beside it."""
    value = row[column.key]
    if column.key == "published_accuracy":
        shown = published_cell(value, row["published_source"])
        digits = "" if value == NOT_REPORTED else published_percent(value).removesuffix(" %")
        return {"text": shown, "sort": digits, "small": ""}
    if column.key in ("published_source", INITIAL_WEIGHTS):
        return {"text": value or MISSING, "sort": value, "small": ""}
    missing = value is None or pd.isna(value)
    texts: dict[str, Callable[[float], str]] = {
        "parameters": count, "train_seconds": seconds, "predict_ms_per_image": number,
        "mcc": number, "auroc": number, "brier": number, "ece": number, "trials": count,
        "peak_memory_mb": "{:.0f} MiB".format,
    }  # fmt: skip
    write = texts.get(column.key, percent)
    small = ""
    if column.key == "accuracy" and not missing:
        small = interval(row["accuracy_low"], row["accuracy_high"])
    elif column.key == "trials":
        small = results.coverage.get(row["model"], "")
    return {
        "text": MISSING if missing else write(float(value)),
        "sort": "" if missing else repr(float(value)),
        "small": small,
    }


def _models(results: Results, images: Images) -> list[dict[str, Any]]:
    table = results.classification
    models = []
    for place, row in enumerate(rows_of(results.comparison)):
        name = row["model"]
        records = results.records[name]
        first = records[0]
        heat = images.get(strip_name(name))
        classes = [
            [str(line["class"])]
            + [percent(line[key]) for key in ("precision", "recall", "specificity", "f1")]
            + [str(line["support"])]
            for line in rows_of(table[table["model"] == name])
        ]
        models.append(
            {
                "anchor": f"model-{place}",
                "title": row["title"],
                "facts": _facts(row, first),
                "published": _published(results, row, first),
                "departures": first.departures,
                "classes": classes,
                "confusion": _confusion(results, name),
                "explanation": explanation_of(results, name, drawn=heat is not None),
                "heat": data_uri(heat) if heat else "",
                "trials": [_trial(results, record) for record in records],
                "layers": next((r.layers for r in records if r.layers), None) or [],
                "failures": [
                    {"name": r.name, "status": r.status, "reason": r.reason,
                     "traceback": r.traceback[-_TRACEBACK:]}
                    for r in results.failures(name)
                ],
            }
        )  # fmt: skip
    return models


def _facts(row: Mapping[str, Any], record: TrialRecord) -> dict[str, str]:
    facts = {
        "Name": row["model"],
        "Family": row["family"],
        "Status": row["status"],
        "Source": record.reference,
        "Recipe": record.recipe,
        "Precision of training": record.precision,
        "Parameters": count(_known(row["parameters"])),
        "FLOPs an image": count(_known(row["flops"])),
        "Balanced accuracy": percent(_known(row["balanced_accuracy"])),
    }
    return {key: text for key, text in facts.items() if text and text != MISSING}


def _known(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _published(
    results: Results, row: Mapping[str, Any], record: TrialRecord
) -> dict[str, Any] | None:
    """Printed and measured values side by side, in columns of their own."""
    if record.published is None:
        return None
    names = ("accuracy", "precision", "recall", "specificity", "f1")
    printed = [
        (name, getattr(record.published, name), percent(_known(row[name]))) for name in names
    ]
    return {
        "source": results.source(record),
        "values": [
            (name.capitalize(), published_percent(text) if text else NOT_REPORTED, measured)
            for name, text, measured in printed
        ],
    }


def _confusion(results: Results, name: str) -> list[dict[str, Any]]:
    """Rows of a confusion matrix: images, percent of the row, and a shade from 0 to 9."""
    if name not in results.confusion:
        return []
    counts = results.confusion[name]
    cells = counts.to_numpy(dtype=np.float64)
    totals = cells.sum(axis=1, keepdims=True)
    shares = np.divide(cells, totals, out=np.zeros_like(cells), where=totals > 0)
    return [
        {
            "label": label,
            "cells": [
                {
                    "images": f"{images:.3g}",
                    "share": f"{100 * share:.0f} %",
                    "shade": int(9 * share),
                }
                for images, share in zip(line, share_line, strict=True)
            ],
        }
        for label, line, share_line in zip(counts.index, cells, shares, strict=True)
    ]


def _trial(results: Results, record: TrialRecord) -> list[str]:
    accuracy = MISSING
    if record.scored:
        member = next(
            m for m in results.members[record.model].members
            if (m.fold, m.seed) == (record.fold, record.seed)
        )  # fmt: skip
        accuracy = percent(float(member.arrays.correct.mean()))
    return [
        str(record.fold), str(record.seed), record.status, accuracy, seconds(record.fit_seconds),
        str(record.threads or MISSING), record.key[:12],
    ]  # fmt: skip


def _pairs(results: Results) -> dict[str, Any] | None:
    if results.pairs is None:
        return None
    table = results.pairs.pairs
    ranked = table[table["ranked"]]
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
        for row in rows_of(ranked)
    ]
    groups = [
        [row["title"], percent(row["accuracy"]), row["letters"]]
        for row in rows_of(results.pairs.groups)
    ]
    return {"rows": rows, "groups": groups, "alpha": results.pairs.alpha}


def _audit(results: Results) -> dict[str, Any] | None:
    report = audit_view.audit_of(results.folder)
    if report is None:
        return None
    return {
        "lines": report.lines(),
        "counts": audit_view.audit_counts(report),
        "findings": audit_view.audit_findings(report),
        "total": len(report.findings),
        "null": report.null,
        "clean": [
            [row["title"], percent(row["accuracy"]), percent(row["clean"]), percent(row["leaked"])]
            for row in rows_of(audit_view.clean_accuracy(results))
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
            [str(fold), part, *(str(int(n)) for n in counts.loc[(fold, part)]),
             str(int(counts.loc[(fold, part)].sum()))]
            for fold, part in keys
        ],
        "groups": group_word(results) if results.groups else "none known",
    }  # fmt: skip


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as dotted keys and text."""
    flat: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            flat.append((prefix + key, ", ".join(map(str, value))))
        else:
            flat.append((prefix + key, str(value)))
    return flat
