"""What leukbench chooses, against the other choice forced."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.clock import NETWORKS, run_in_child
from benchmarks.process import ChildFailed, Settings, alternate, call
from benchmarks.result import TARGETS, Line, Outcome, ratios, seconds_of

FEW = ("modified_cnn", "mobilenet_v2")
SMALL = "modified_cnn"


def measure(settings: Settings) -> Outcome:
    """One line a choice: the time of the other over the time of the chosen, 1 or more is right."""
    found = call("benchmarks.training:auto_precisions", cache=settings.cache, models=NETWORKS)
    precisions: dict[str, str] = found["precisions"]
    refused: list[str] = []
    lines = [
        *_precision(settings, precisions),
        *_jit(settings, precisions, refused),
        *_side_by_side(settings, precisions),
        *_feeding(settings, precisions),
        _kept_worker(settings),
    ]
    return Outcome(
        lines,
        [
            "Above 1 the choice that leukbench makes is the faster one. Networks: time of an epoch "
            "after the first, on noise of 50x50 pixels.",
            *refused,
        ],
    )


def _images(settings: Settings, name: str) -> int:
    if settings.fewer and name not in FEW:
        return settings.fewer
    if settings.quick:
        return 1280 if name == SMALL else 256
    return 2604 if name in FEW else 1280


def _epochs(runs: list[dict[str, Any]]) -> list[float]:
    return [median(run["epoch_seconds"]) for run in runs]


def _precision(settings: Settings, precisions: dict[str, str]) -> list[Line]:
    lines = []
    for name in settings.chosen(NETWORKS):
        chosen = precisions[name]
        other = "float32" if chosen != "float32" else "mixed_bfloat16"
        work: dict[str, Any] = {"model": name, "images": _images(settings, name), "epochs": 3}
        sides = alternate(
            lambda work=work, p=chosen: call("benchmarks.training:train", precision=p, **work),
            lambda work=work, p=other: call("benchmarks.training:train", precision=p, **work),
            settings.repeats,
        )
        mine, others = (_epochs(side) for side in sides)
        lines.append(
            Line(
                f"{name}: auto picks {chosen}",
                ratios(others, mine),
                "x",
                TARGETS["choice"],
                f"{seconds_of(chosen, mine)}, {seconds_of(other, others)} an epoch",
            )
        )
    return lines


def _jit(settings: Settings, precisions: dict[str, str], refused: list[str]) -> list[Line]:
    lines = []
    for name in settings.chosen(FEW if settings.quick else NETWORKS):
        work: dict[str, Any] = {"model": name, "precision": precisions[name]}
        work |= {"images": min(640, _images(settings, name)), "epochs": 3}
        try:
            plain, other = alternate(
                lambda work=work: call("benchmarks.training:train", **work),
                lambda work=work: call("benchmarks.training:flipped_jit", **work),
                settings.repeats,
            )
        except ChildFailed as error:
            refused.append(f"{name} cannot be trained both with and without XLA: {error}.")
            continue
        chosen = plain[0]["jit_compile"]
        mine, others = _epochs(plain), _epochs(other)
        words = ("without XLA", "with XLA")
        first = [median(run["first_seconds"] for run in side) for side in (plain, other)]
        lines.append(
            Line(
                f"{name}: {words[chosen]}",
                ratios(others, mine),
                "x",
                TARGETS["choice"],
                f"{seconds_of(words[chosen], mine)}, {seconds_of(words[not chosen], others)} an "
                f"epoch; first epoch {first[0]:.1f} and {first[1]:.1f} s",
            )
        )
    return lines


def _side_by_side(settings: Settings, precisions: dict[str, str]) -> list[Line]:
    lines = []
    for name in settings.chosen(FEW):
        options: dict[str, Any] = {
            "models": [name],
            "seeds": [0, 1],
            "epochs": 2 if settings.quick else 8,
            "precision": precisions[name],
            "probes": False,
        }
        one, two = alternate(
            lambda options=options: run_in_child(settings, settings.cache, jobs=1, **options),
            lambda options=options: run_in_child(settings, settings.cache, jobs=2, **options),
            settings.repeats,
        )
        mine, others = [run["trials"] for run in one], [run["trials"] for run in two]
        lines.append(
            Line(
                f"{name}: two trials one after another with all threads (--jobs 1)",
                ratios(others, mine),
                "x",
                None,
                f"{seconds_of('one after another', mine)}, "
                f"{seconds_of('side by side with one thread each', others)}, child's start included",
            )
        )
    return lines


def _feeding(settings: Settings, precisions: dict[str, str]) -> list[Line]:
    lines = []
    for name in settings.chosen(FEW):
        work: dict[str, Any] = {"model": name, "precision": precisions[name]}
        work |= {"images": _images(settings, name), "epochs": 4}
        sides = alternate(
            lambda work=work: call("benchmarks.training:feed", source="batches", **work),
            lambda work=work: call("benchmarks.training:feed", source="arrays", **work),
            settings.repeats,
        )
        mine, others = (_epochs(side) for side in sides)
        lines.append(
            Line(
                f"{name}: batches without autotuning",
                ratios(others, mine),
                "x",
                TARGETS["choice"],
                f"{seconds_of('leukbench', mine)}, {seconds_of('what Keras makes of arrays', others)} "
                "an epoch",
            )
        )
    return lines


def _kept_worker(settings: Settings) -> Line:
    seeds = [0, 1, 2]
    options: dict[str, Any] = {
        "models": [SMALL],
        "epochs": 1 if settings.quick else 4,
        "probes": False,
    }
    kept, fresh = alternate(
        lambda: [run_in_child(settings, settings.cache, seeds=seeds, **options)],
        lambda: [run_in_child(settings, settings.cache, seeds=[s], **options) for s in seeds],
        settings.repeats,
    )
    sides = [[sum(run["trials"] for run in runs) for runs in side] for side in (kept, fresh)]
    predictions = {
        tuple(record["predictions"] for run in runs for record in _by_seed(run))
        for runs in [*kept, *fresh]
    }
    same = "identical" if len(predictions) == 1 else "DIFFERENT"
    return Line(
        f"{SMALL}, three trials: one worker that keeps TensorFlow imported",
        ratios(sides[1], sides[0]),
        "x",
        TARGETS["choice"],
        f"{seconds_of('one worker', sides[0])}, {seconds_of('a fresh child each', sides[1])}; "
        f"predictions {same}",
    )


def _by_seed(run: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(run["records"], key=lambda record: record["seed"])
