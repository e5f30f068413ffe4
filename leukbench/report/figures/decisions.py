"""Decision curves: what a model is worth to a reader who calls images malignant from a threshold on."""

from __future__ import annotations

from matplotlib.figure import Figure

from leukbench.report.figures.probabilities import has_probabilities, shown_rows
from leukbench.report.figures.spec import FigureSpec
from leukbench.report.figures.style import INK, colour_of, shortened, small_multiples
from leukbench.report.results import Results


def decisions(results: Results) -> Figure:
    """Net benefit of each model over thresholds, band 95 %; all malignant dotted, none at zero."""
    rows = shown_rows(results)
    table = results.decision_curve.dropna(subset="net_benefit")
    curves = {
        name: table[table["model"] == name] for name in rows if (table["model"] == name).any()
    }
    figure, axes = small_multiples(
        len(curves),
        f"{DECISION_CURVE.title}: {results.folder.benign} against the rest, band: 95 %",
        ("threshold: probability from which an image is called malignant", "net benefit an image"),
    )
    most = max(0.0, float(table["net_benefit"].max()))
    for ax, (name, curve) in zip(axes, curves.items(), strict=True):
        colour = colour_of(rows[name]["family"])
        at = curve["threshold"]
        ax.fill_between(at, curve["low"], curve["high"], color=colour, alpha=0.3, linewidth=0)
        ax.plot(at, curve["net_benefit"], color=colour, linewidth=1.6)
        ax.plot(at, curve["all_malignant"], color=INK, linewidth=0.8, linestyle=":")
        ax.axhline(0.0, color=INK, linewidth=0.8)
        ax.set_title(shortened(results.titles[name], 26))
    for ax in axes[:1]:
        ax.set_xlim(0, 1)
        ax.set_xticks([0, 0.5, 1])
        ax.set_ylim(-0.15 * max(most, 0.1), 1.1 * max(most, 0.1))
    return figure


DECISION_CURVE = FigureSpec(
    name="decision_curve",
    title="Net benefit",
    caption="One panel per model: images found malignant less false alarms, an image, where a false "
    "alarm costs what the threshold says (t / (1 - t) of a found one). The dotted line calls every "
    "image malignant, zero calls none: a model is of use where it lies above both, at this share of "
    "malignant images. The band is 95 %, point by point. Controls and probes are not shown.",
    draw=decisions,
    possible=lambda results: results.folder.benign is not None and has_probabilities(results),
)
