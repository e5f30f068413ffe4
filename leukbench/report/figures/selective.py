"""Risk against coverage: the errors that are left when a model answers only where it is sure."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from leukbench.report.figures.probabilities import GRID, has_probabilities, shown_rows
from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import INK, colour_of, shortened, small_multiples
from leukbench.report.results import Results
from leukbench.score.arrays import FloatArray
from leukbench.score.selective import at_coverage, aurc, best_risk_coverage, risk_coverage

LEAST_COVERAGE = 0.1
"""Below, a single wrong answer is most of the risk: it does not stretch the axis."""


def risk_against_coverage(results: Results) -> Figure:
    """Risk of each model over coverage, mean over trials; band over trials; the optimum dotted."""
    rows = shown_rows(results)
    curves = {name: found for name in rows if (found := curves_of(results, name))}
    several = any(len(found) > 1 for found in curves.values())
    figure, axes = small_multiples(
        len(curves),
        RISK_COVERAGE.title + (", band: all trials" if several else ""),
        ("coverage: share of images answered, surest first", "share of wrong answers"),
        title_lines=2,
    )
    highest = 0.0
    for ax, (name, found) in zip(axes, curves.items(), strict=True):
        colour = colour_of(rows[name]["family"])
        band = np.array([at_coverage(risk, GRID) for risk, _ in found])
        best = np.mean([at_coverage(optimum, GRID) for _, optimum in found], axis=0)
        ax.fill_between(
            GRID, band.min(axis=0), band.max(axis=0), color=colour, alpha=0.3, linewidth=0
        )
        ax.plot(GRID, band.mean(axis=0), color=colour, linewidth=1.6)
        ax.plot(GRID, best, color=INK, linewidth=0.8, linestyle=":")
        areas = [np.mean([aurc(curve) for curve in kind]) for kind in zip(*found, strict=True)]
        ax.set_title(
            f"{shortened(results.titles[name], 26)}\nAURC {areas[0]:.3f} (best {areas[1]:.3f})"
        )
        highest = max(highest, float(band[:, GRID >= LEAST_COVERAGE].max()))
    for ax in axes[:1]:
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.02 * max(highest, 0.05), 1.05 * max(highest, 0.05))
        ax.set_xticks([0, 0.5, 1])
    return figure


def curves_of(results: Results, model: str) -> list[tuple[FloatArray, FloatArray]]:
    """Risk over coverage and its optimum of each trial of a model that left probabilities."""
    pairs = []
    for member in results.members[model].members:
        if member.arrays.probabilities is not None:
            risk = risk_coverage(member.arrays.distribution, member.arrays.truth)
            pairs.append((risk, best_risk_coverage(len(risk), round(risk[-1] * len(risk)))))
    return pairs


RISK_COVERAGE = FigureSpec(
    name="risk_coverage",
    title="Risk against coverage",
    caption="One panel per model: share of wrong answers among the images that it is surest of, from "
    "none to all; the dotted line is the best order that its errors allow. AURC is the mean over "
    "coverage; where confidence says nothing it is the error rate. The axis is made for "
    "coverage from 0.1 on. Controls and probes are not shown.",
    draw=risk_against_coverage,
    possible=has_probabilities,
)
