"""The paper's protocol, one seed, all ten models: ``leukbench run-all`` against the plain script."""

from __future__ import annotations

import json
import math
import sys
from statistics import median
from typing import Any

from benchmarks.clock import MODELS, NETWORKS, run_in_child
from benchmarks.process import Settings, call, run
from benchmarks.result import TARGETS, Line, Outcome, Target, ratios, seconds_of
from benchmarks.spread import spreads_of
from leukbench.machine import available_cores

EPOCHS = 30
"""Of the paper."""

Side = dict[str, Any]


def measure(settings: Settings) -> Outcome:
    """Both sides in turn, each from a fresh process, leukbench with an empty cache.

    leukbench's side counts all that ``run-all`` does: the audit, the shortcut probes, the fifteen and
    more files of tables and figures. The plain script does none of that.
    """
    own, plain = [], []
    for number in range(settings.repeats):
        own.append(settings.measure_or_read(f"run-all-{number}", lambda: _own_side(settings)))
        plain.append(
            settings.measure_or_read(f"plain-script-{number}", lambda: _plain_side(settings))
        )
    limit = call("benchmarks.training:matrix_peaks", seconds=0.5 if settings.quick else 2.0)
    target = TARGETS["paper"]
    what = f"{len(settings.chosen(MODELS))} models"
    ours, theirs = [side["wall_seconds"] for side in own], [side["wall_seconds"] for side in plain]
    lines = [
        Line(
            f"{what}, {settings.epochs} epochs",
            ratios(theirs, ours),
            "x",
            target if settings.epochs == EPOCHS else None,
            f"{seconds_of('plain script', theirs)}, {seconds_of('run-all', ours)}",
        )
    ]
    if settings.epochs not in (1, EPOCHS):
        ours, theirs = [_extrapolated(s) for s in own], [_extrapolated(s) for s in plain]
        lines.append(
            Line(
                f"{what}, {EPOCHS} epochs, EXTRAPOLATED",
                ratios(theirs, ours),
                "x",
                target,
                "what was measured, and further epochs at the time of a steady one: "
                f"{seconds_of('plain script', theirs)}, {seconds_of('run-all', ours)}",
            )
        )
    peaks = {name: max(by_size.values()) for name, by_size in limit["peaks"].items()}
    lines.append(
        Line(
            "limit set by the processor: bfloat16 over float32, matrix product",
            (peaks["bfloat16"] / peaks["float32"],),
            "x",
            None,
            f"{peaks['bfloat16']:.0f} and {peaks['float32']:.0f} GFLOP/s",
        )
    )
    compared = _accuracies(settings, own[0], plain[0])
    return Outcome([*lines, *_per_model(own, plain), *compared], _notes(settings, own, plain))


def _own_side(settings: Settings) -> Side:
    answer = run_in_child(
        settings,
        settings.fresh("cache"),
        models=settings.chosen(MODELS),
        seeds=[0],
        epochs=settings.epochs,
    )
    answer["models"] = {record["model"]: record for record in answer["records"]}
    return answer


def _plain_side(settings: Settings) -> Side:
    out = settings.fresh("plain") / "plain.json"
    command = [sys.executable, "-m", "benchmarks.plain_script", str(settings.images)]
    command += ["--epochs", str(settings.epochs), "--out", str(out)]
    command += ["--models", ",".join(settings.chosen(MODELS))]
    _, seconds = run(command)
    side: Side = json.loads(out.read_text(encoding="utf-8"))
    return side | {"wall_seconds": seconds}


def _steady(record: Side) -> float:
    """Seconds of an epoch after the first; the plain script times the first one too."""
    times = record["epoch_seconds"]
    return median(times[1:] if len(times) > 1 else times)


def _extrapolated(side: Side) -> float:
    """Seconds at `EPOCHS` epochs."""
    further = sum(
        (EPOCHS - _epochs(side["models"][name]))
        * _own_or_plain_epoch(side, name)
        * share_of_cores(side["models"][name])
        for name in NETWORKS
        if name in side["models"]
    )
    return float(side["wall_seconds"] + further)


def share_of_cores(record: Side) -> float:
    """Share of the cores that a model was trained on; all where the record does not say."""
    return min(1.0, (record.get("threads") or available_cores()) / available_cores())


def _epochs(record: Side) -> int:
    times = len(record["epoch_seconds"])
    return times + 1 if "trial_seconds" in record else times


def _own_or_plain_epoch(side: Side, name: str) -> float:
    record = side["models"][name]
    return median(record["epoch_seconds"]) if "trial_seconds" in record else _steady(record)


def _per_model(own: list[Side], plain: list[Side]) -> list[Line]:
    lines = []
    for name in [name for name in MODELS if name in own[0]["models"]]:
        ours = [side["models"][name] for side in own]
        theirs = [side["models"][name] for side in plain]
        precision = f" ({ours[0]['precision']})" if ours[0]["precision"] else ""
        fits = [[record["fit_seconds"] for record in side] for side in (theirs, ours)]
        shared = [record["fit_seconds"] * share_of_cores(record) for record in ours]
        if shared != fits[1]:
            precision += f" on {ours[0]['threads']} of {available_cores()} cores"
        lines.append(
            Line(
                f"fit of {name}",
                ratios(fits[0], shared),
                "x",
                None,
                f"{seconds_of('plain', fits[0])}, {seconds_of('leukbench', fits[1])}{precision}; "
                f"accuracy {theirs[0]['accuracy']:.3f} and {ours[0]['accuracy']:.3f}",
            )
        )
    return lines


def _accuracies(settings: Settings, own: Side, plain: Side) -> list[Line]:
    """The plain script's accuracies against the spread over leukbench's seeds, at the full epochs."""
    if settings.seeds_from is None or settings.epochs != EPOCHS:
        return []
    test = math.ceil(plain["images"] / 5)
    spreads = spreads_of(settings.seeds_from, list(plain["models"]), test)
    lines, inside = [], 0
    for name, spread in spreads.items():
        accuracy = plain["models"][name]["accuracy"]
        low, high = (100 * bound for bound in spread.interval)
        inside += spread.holds(accuracy)
        lines.append(
            Line(
                f"accuracy of {name}, plain script",
                (100 * accuracy,),
                "%",
                None,
                f"leukbench beside it {100 * own['models'][name]['accuracy']:.1f} %, "
                f"{len(spread.accuracies)} seeds of {settings.seeds_from.name} "
                f"{100 * min(spread.accuracies):.1f} to {100 * max(spread.accuracies):.1f} %; one more "
                f"seed lies in {low:.1f} to {high:.1f} % (95 %): "
                f"{'inside' if spread.holds(accuracy) else 'OUTSIDE'}",
            )
        )
    what = f"models of {len(spreads)} whose accuracy in the plain script is within that spread"
    return [*lines, Line(what, (inside,), "", Target("at least", len(spreads)), "")]


def _schedule_note(side: Side) -> str:
    jobs = side["records"][0].get("jobs") or 1
    if jobs == 1:
        return "leukbench's trials went one after another, with all cores each."
    return (
        f"leukbench chose to let {jobs} trials go side by side: a fit counts by the share of the "
        "cores that it had."
    )


def _notes(settings: Settings, own: list[Side], plain: list[Side]) -> list[str]:
    ours, theirs = own[0], plain[0]
    probes = sum(r["trial_seconds"] for r in ours["records"] if r["family"] == "probe")
    notes = [
        f"{theirs['images']} images. Of run-all's {ours['wall_seconds']:.0f} s, reading, audit and "
        f"split took {ours['prepare']:.1f} s, the shortcut probes {probes:.1f} s, preprocessing, "
        f"tables, figures and page {ours['rest']:.1f} s; the plain script does no audit, no probes "
        f"and writes no table, its preprocessing took {theirs['preprocess_seconds']:.1f} s and its "
        f"features {theirs['feature_seconds']:.1f} s.",
        _schedule_note(ours),
        "The plain SVM gives classes only; leukbench's gives calibrated probabilities, for which it "
        "is fitted five more times.",
    ]
    if len({side.get("measured", "")[:10] for side in [*own, *plain]}) > 1:
        notes.append("The two sides were not measured on the same day.")
    if settings.epochs < EPOCHS:
        notes.append(
            f"Accuracies after {settings.epochs} epochs say nothing of the models; --full compares "
            f"them at {EPOCHS}."
        )
    return notes
