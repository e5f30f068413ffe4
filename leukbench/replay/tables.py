"""From stored predictions to the table of a replay: honest, replayed (LEAKY) and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukbench.files import write_bytes, write_text
from leukbench.records import LEAKY
from leukbench.replay.folder import WARNING, ReplayFolder
from leukbench.replay.mistakes import Reading
from leukbench.report.formats import (
    MISSING,
    SYNTHETIC,
    escape_markdown,
    interval,
    percent,
    with_interval,
)
from leukbench.score.arrays import FloatArray, group_codes, groups_from_split
from leukbench.score.intervals import CONFIDENCE, wilson
from leukbench.score.resampling import RESAMPLES, weight_chunks

TABLE, PAGE, PICTURE = (f"replay-{LEAKY}.{form}" for form in ("csv", "md", "png"))
_MEASURED = tuple(
    f"{side}{end}" for side in ("honest", "replayed", "difference") for end in ("", "_low", "_high")
)
_COUNTS = tuple(
    f"{side}_{what}" for side in ("honest", "replayed") for what in ("trained_on", "scored")
)
_COLUMNS = [
    "mistake", "title", "seeds", *_MEASURED, *_COUNTS, "honest_training", "replayed_training",
    "same_training", "note",
]  # fmt: skip
_BOUNDS = (50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE))


def results_of(folder: ReplayFolder) -> pd.DataFrame:
    """One row a mistake, as numbers, for this room alone: whoever hands them on writes LEAKY to them.

    Accuracies are means over seeds. Intervals are percentiles of a bootstrap that draws groups of images
    (patients, or the audit's clusters), the same for both sides of a difference, and of all seeds.
    """
    groups = groups_from_split(folder.split)
    images = folder.split["image"].tolist()
    weights = np.concatenate(
        list(weight_chunks(len(set(group_codes(images, groups))), RESAMPLES, seed=0)), axis=1
    )
    codes = pd.Series(group_codes(images, groups), index=images)
    rows = []
    for mistake, compared in folder.compared():
        row: dict[str, Any] = {"mistake": mistake.name, "title": mistake.title}
        if compared.abstained:
            rows.append(row | {"seeds": 0, "note": compared.abstained})
            continue
        readings = (
            Reading(compared.honest, mistake.honest.scored),
            Reading(compared.replayed, mistake.replayed.scored),
        )
        seeds = sorted(set.intersection(*(set(folder.records.get(one.training, ()))
                                          for one in readings)))  # fmt: skip
        if seeds:
            rows.append(row | _compared(folder, readings, seeds, codes, weights))
        else:
            rows.append(row | {"seeds": 0, "note": "No seed has both trainings: replay it again."})
    return pd.DataFrame(rows).reindex(columns=_COLUMNS).astype(dict.fromkeys(_COUNTS, "Int64"))


def _compared(
    folder: ReplayFolder,
    readings: tuple[Reading, Reading],
    seeds: Sequence[int],
    codes: pd.Series,
    weights: Any,
) -> dict[str, Any]:
    """Both accuracies, their difference, and what they were measured on."""
    row: dict[str, Any] = {"seeds": len(seeds), "note": ""}
    accuracies: list[tuple[float, FloatArray]] = []
    for side, reading in zip(("honest", "replayed"), readings, strict=True):
        answers = [folder.answers(reading, seed) for seed in seeds]
        every = pd.concat(answers, ignore_index=True)
        group = codes.loc[every["image"]].to_numpy()
        size = len(weights)
        right = np.bincount(group, weights=every["right"], minlength=size)
        drawn = (right @ weights) / (np.bincount(group, minlength=size) @ weights)
        accuracies.append((float(every["right"].mean()), drawn))
        record = folder.records[reading.training][seeds[0]]
        row |= {
            f"{side}_training": reading.training,
            f"{side}_trained_on": record.n_train,
            f"{side}_scored": len(answers[0]),
        }
    (honest, drawn_honest), (replayed, drawn_replayed) = accuracies
    row["same_training"] = readings[0].training == readings[1].training
    for name, value, drawn in (
        ("honest", honest, drawn_honest),
        ("replayed", replayed, drawn_replayed),
        ("difference", replayed - honest, drawn_replayed - drawn_honest),
    ):
        low, high = np.nanpercentile(drawn, _BOUNDS)
        row |= {name: value, f"{name}_low": float(low), f"{name}_high": float(high)}
    return row


def table_of(folder: ReplayFolder) -> pd.DataFrame:
    """The content of ``replay-LEAKY.csv``: what was measured with a mistake is text with the word.

    Columns ``mistake``, ``title``, ``honest`` with ``_low`` and ``_high`` (fractions), ``LEAKY_replayed``
    and ``LEAKY_difference`` with the same (text), ``seeds``, ``honest_training`` and ``LEAKY_training``
    with ``honest_trained_on`` and so on (images), ``same_training``, ``note`` and ``source``.
    """
    results = results_of(folder)
    columns = ["mistake", "title"]
    for name, side in (("honest", "honest"), (LEAKY, "replayed"), (LEAKY, "difference")):
        for stored in (side, f"{side}_low", f"{side}_high"):
            column = stored if name == side else f"{name}_{stored}"
            if name == LEAKY:
                results[column] = [
                    "" if pd.isna(value) else f"{LEAKY} {value!r}" for value in results[stored]
                ]
            columns.append(column)
    columns.append("seeds")
    for name, side in (("honest", "honest"), (LEAKY, "replayed")):
        for what in ("training", "trained_on", "scored"):
            results[f"{name}_{what}"] = results[f"{side}_{what}"]
            columns.append(f"{name}_{what}")
    sources = {mistake.name: mistake.source for mistake, _ in folder.compared()}
    results["source"] = results["mistake"].map(sources)
    return results[[*columns, "same_training", "note", "source"]]


def published_interval(folder: ReplayFolder) -> tuple[float, float, float] | None:
    """The published accuracy on these images with Wilson's interval for the test part, or None."""
    published = folder.about.published
    if published is None or not published.accuracy:
        return None
    value = float(published.accuracy)
    value = value / 100 if value > 1 else value
    tested = int((folder.split["part"] == "test").sum())
    low, high = wilson(round(value * tested), tested)
    return value, float(low), float(high)


def markdown_of(folder: ReplayFolder) -> str:
    """The content of ``replay-LEAKY.md``."""
    about, results = folder.about, results_of(folder)
    synthetic = f"{SYNTHETIC} " if about.dataset.synthetic else ""
    lines = [
        f"# {LEAKY}: known mistakes replayed, {escape_markdown(about.title)}",
        "",
        f"{escape_markdown(WARNING)} {synthetic}{escape_markdown(about.dataset.title)}, protocol "
        f"{escape_markdown(about.protocol.name)}. Accuracy in percent, mean over seeds, with 95 % "
        "intervals of a bootstrap over groups of images.",
        "",
        f"| mistake | honest | replayed ({LEAKY}) | difference ({LEAKY}) | seeds | trained on, honest "
        "and replayed |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for row in results.to_dict("records"):
        cells = [row["title"], MISSING, MISSING, MISSING, "0", row["note"]]
        if row["seeds"]:
            honest = with_interval(row["honest"], row["honest_low"], row["honest_high"])
            replayed = with_interval(row["replayed"], row["replayed_low"], row["replayed_high"])
            change = _points(row["difference"], row["difference_low"], row["difference_high"])
            trained = f"{row['honest_trained_on']} and {row['replayed_trained_on']} images"
            if row["same_training"]:
                trained = f"{row['honest_trained_on']} images, the same training"
            cells[1:] = [honest, f"{LEAKY} {replayed}", f"{LEAKY} {change}"]
            cells += [str(row["seeds"]), trained]
        lines.append("| " + " | ".join(escape_markdown(str(cell)) for cell in cells) + " |")
    lines += ["", *_about_published(folder, results)]
    for mistake, _ in folder.compared():
        lines.append(f"- **{mistake.title}.** {mistake.what} Source: {mistake.source}.")
    return "\n".join(lines) + "\n"


def _points(value: float, low: float, high: float) -> str:
    """A difference in points with its interval.

    >>> _points(0.0312, 0.011, 0.0544)
    '+3.1 (+1.1 to +5.4)'
    """
    return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _about_published(folder: ReplayFolder, results: pd.DataFrame) -> list[str]:
    """Which numbers the published one cannot be told from, with the distance that this needs."""
    published = published_interval(folder)
    if published is None:
        return []
    value, low, high = published
    inside = {
        side: [row["title"] for row in results.to_dict("records")
               if row["seeds"] and low <= row[side] <= high]
        for side in ("honest", "replayed")
    }  # fmt: skip
    printed = f"{percent(value)} ({interval(low, high)} for this test part, Wilson)"
    mistakes = "; ".join(inside["replayed"]) or "none"
    honest = "; ".join(inside["honest"]) or "none"
    assert folder.about.published is not None
    return [
        f"Published ({escape_markdown(folder.about.published.source)}): {printed}. {LEAKY} numbers "
        f"in this interval: {mistakes}. Honest numbers in it, beside: {honest}. A number in the interval "
        "is a possible origin of the published one, never an accusation: other ways lead there too.",
        "",
    ]


def picture_of(folder: ReplayFolder) -> bytes:
    """The content of ``replay-LEAKY.png``: honest and replayed accuracy of each mistake."""
    from leukbench.report.figures.style import FAMILIES, PALE, finish, house_style, new_figure
    from leukbench.report.figures.style import rendered as png

    results = results_of(folder)
    shown = results[results["seeds"] > 0].iloc[::-1].to_dict("records")
    with house_style():
        figure = new_figure(8.2, 1.6 + 0.55 * max(len(shown), 1))
        ax = figure.subplots()
        looks = {"honest": (FAMILIES["deep"], 0.13), "replayed": (FAMILIES["classical"], -0.13)}
        for side, ((colour, marker), shift) in looks.items():
            for place, row in enumerate(shown):
                value, low, high = (100 * row[f"{side}{end}"] for end in ("", "_low", "_high"))
                label = (side if side == "honest" else f"{LEAKY} replayed") if not place else None
                y = place + shift
                ax.plot([low, high], [y, y], color=colour, linewidth=1.2)
                ax.plot(value, y, marker, color=colour, label=label, markersize=5)
                if side == "replayed":
                    ax.annotate(f"{LEAKY} {value:.1f} %", (max(value, high), y), (6, 0),
                                textcoords="offset points", va="center", fontsize=7)  # fmt: skip
        if published := published_interval(folder):
            value, low, high = (100 * one for one in published)
            ax.axvspan(low, high, color=PALE, alpha=0.5, linewidth=0)
            ax.axvline(value, color="#555555", linewidth=1, label="published, Wilson interval")
        ax.set_yticks(range(len(shown)), [row["title"] for row in shown])
        ax.set_xlabel(f"accuracy, percent; what is replayed is {LEAKY}")
        ax.margins(x=0.16)
        if shown:
            figure.legend(loc="outside lower center", ncols=3)
        title = f"{LEAKY}: known mistakes replayed, {folder.about.title}"
        return png(finish(figure, title, synthetic=folder.about.dataset.synthetic), "png")


def write_replay(folder: ReplayFolder) -> list[Path]:
    """Write table, Markdown and picture of a replay from its stored predictions; gives their paths."""
    written = [folder.path / name for name in (TABLE, PAGE, PICTURE)]
    write_text(written[0], table_of(folder).to_csv(index=False, lineterminator="\n"))
    write_text(written[1], markdown_of(folder))
    write_bytes(written[2], picture_of(folder))
    return written
