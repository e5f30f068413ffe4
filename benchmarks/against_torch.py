"""Every network against PyTorch: the same work in the same precision on the same cores."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.clock import NETWORKS
from benchmarks.process import ChildFailed, Settings, alternate, call
from benchmarks.result import TARGETS, Line, Outcome, Skipped, ratios
from benchmarks.training import BATCH, CLASSES, SHAPE

QUICK_IMAGES = {"modified_cnn": 1280, "mobilenet_v2": 640}


def measure(settings: Settings) -> Outcome:
    """Images a second of leukbench over those of PyTorch, in epochs after the first."""
    torch = _describe(settings)
    names = settings.chosen(NETWORKS)
    answer = call("benchmarks.training:auto_precisions", cache=settings.cache, models=names)
    lines = []
    for name in names:
        precision = answer["precisions"][name]
        images = settings.fewer or (QUICK_IMAGES.get(name, 256) if settings.quick else 2604)
        work: dict[str, Any] = {
            "model": name,
            "precision": precision,
            "images": images,
            "epochs": 3,
        }
        ours, theirs = alternate(
            lambda work=work: call("benchmarks.training:train", **work),
            lambda work=work: call(
                "benchmarks.torch_training:train",
                python=settings.torch_python,
                side=SHAPE[0],
                channels=SHAPE[2],
                classes=CLASSES,
                batch=BATCH,
                **work,
            ),
            settings.repeats,
        )
        counts = {run["parameters"] for run in [*ours, *theirs]}
        if len(counts) > 1:
            raise ValueError(f"{name} has {counts} parameters: the two sides are not one network")
        speeds = [
            [images / median(run["epoch_seconds"]) for run in side] for side in (ours, theirs)
        ]
        lines.append(
            Line(
                f"{name}, {precision}",
                ratios(*speeds),
                "x",
                TARGETS["torch"],
                f"leukbench {median(speeds[0]):.0f}, PyTorch {median(speeds[1]):.0f} images/s; "
                f"{counts.pop():,} parameters",
            )
        )
    return Outcome(
        lines,
        [
            f"PyTorch {torch['version']} with {torch['threads']} threads, channels last, autocast "
            f"for bfloat16, fused Adam, batches of {BATCH}; noise of {SHAPE[0]}x{SHAPE[1]} pixels.",
        ],
    )


def _describe(settings: Settings) -> dict[str, Any]:
    if settings.torch_python is None:
        raise Skipped("no PyTorch: name a Python that has it with --torch-python PATH")
    try:
        return call("benchmarks.torch_training:describe", python=settings.torch_python)
    except (ChildFailed, OSError) as error:
        raise Skipped(f"PyTorch cannot be imported by {settings.torch_python.name}") from error
