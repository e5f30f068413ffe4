"""How time and memory grow with images, classes, models and workers, with fitted exponents."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.clock import run_in_child, timed_run
from benchmarks.memory import Stages
from benchmarks.process import Settings, call
from benchmarks.result import Line, Outcome, exponent
from benchmarks.run_folders import copy_run
from benchmarks.small_images import write_small

IMPORTS = (
    "leukbench.trials.execute",
    "leukbench.audit.audit",
    "leukbench.models.features",
    "leukbench.report.html",
    "leukbench.report.figures",
    "sklearn.ensemble",
    "sklearn.model_selection",
    "sklearn.naive_bayes",
    "sklearn.pipeline",
)
"""Done before the first stage, so that small sizes do not measure them."""

Point = Mapping[str, Mapping[str, float]]
Curve = dict[int, Point]


def measure(settings: Settings) -> Outcome:
    """One line a stage: the exponent p of ``cost = c * size ** p``, and the measured points."""
    quick = settings.quick
    images = {size: _of_images(settings, size, 4) for size in settings.sizes}
    fixed = 240 if quick else 1600
    classes = {
        number: _of_images(settings, fixed, number)
        for number in ((2, 4, 8) if quick else (2, 4, 8, 16))
    }
    models = {
        number: _of_models(settings, number) for number in ((2, 5) if quick else (2, 5, 10, 20))
    }
    workers = {number: _of_workers(settings, number) for number in ((1, 2) if quick else (1, 2, 4))}
    lines = [
        *lines_of("images", images),
        *lines_of(f"classes ({fixed} images)", classes),
        *lines_of("models (five seeds each)", models),
        *lines_of("workers (four trials, one thread each)", workers),
    ]
    return Outcome(
        lines,
        [
            "SYNTHETIC images of 32x32 pixels, every size in a fresh process with an empty cache. "
            "Exponents by least squares of the logarithms: 1 is proportional, 0 does not grow. "
            "Memory is how far the process's peak in that stage lies above its size after the imports; "
            "memory that earlier stages still hold is part of it.",
            "The growth of the audit on images with planted overlaps is measured by "
            "`python -m benchmarks.audit_scaling`, that of many workers by "
            "`python -m benchmarks.dask_scaling`.",
        ],
    )


def lines_of(against: str, curve: Curve) -> list[Line]:
    """Lines of one curve: for every stage the exponent of its seconds and of its memory.

    Parameters
    ----------
    against : str
        What grows.
    curve : dict of int to mapping
        By size, by stage: ``seconds``, and ``growth_mb`` where memory was measured.
    """
    lines = []
    sizes = sorted(curve)
    for stage in curve[sizes[0]]:
        for figure, unit in (("seconds", "s"), ("growth_mb", "MiB")):
            if figure not in curve[sizes[0]][stage]:
                continue
            values = [curve[size][stage][figure] for size in sizes]
            points = ", ".join(f"{n:,}: {v:.3g} {unit}" for n, v in zip(sizes, values, strict=True))
            what = "time" if figure == "seconds" else "memory"
            power = exponent(sizes, values)
            lines.append(
                Line(f"{stage}, {what} against {against}", (power,), "power", None, points)
            )
    return lines


def _of_images(settings: Settings, images: int, classes: int) -> Point:
    folder = settings.fresh("size")
    write_small(folder / "images", images, classes)
    point: Point = call(
        "benchmarks.scaling:time_stages",
        cache=folder / "cache",
        data=str(folder / "images"),
        out=str(folder / "run"),
    )["stages"]
    return point


def _of_models(settings: Settings, models: int) -> Point:
    run = copy_run(settings.fresh("models") / "run", models=models, seeds=5)
    point: Point = call("benchmarks.scaling:time_report", run=str(run))["stages"]
    return point


def _of_workers(settings: Settings, workers: int) -> Point:
    answer = run_in_child(
        settings,
        settings.cache,
        models=["modified_cnn"],
        seeds=[0, 1, 2, 3],
        epochs=1 if settings.quick else 6,
        probes=False,
        threads=1,
        jobs=workers,
    )
    return {"trials": {"seconds": answer["trials"]}}


def time_stages(data: str, out: str) -> dict[str, Any]:
    """Reading, audit, split, preprocessing, two classical fits and the report, one after another."""
    for name in IMPORTS:
        import_module(name)
    from leukbench.data.folder import load_folder
    from leukbench.data.preprocess import preprocess_dataset
    from leukbench.data.splits import make_split, part_indices
    from leukbench.models import registry
    from leukbench.protocol import load_protocol
    from leukbench.report import write_report
    from leukbench.trials.prepare import cached_audit

    stages = Stages()
    protocol = load_protocol("paper")
    dataset = stages.time("reading", load_folder, Path(data))
    stages.time("audit", cached_audit, dataset)
    split = stages.time("split", make_split, dataset, protocol.split)
    array = stages.time("preprocessing", preprocess_dataset, dataset, protocol.preprocessing)
    train = part_indices(split, dataset, 0, "train")
    for name in ("naive_bayes", "random_forest"):
        estimator = registry.create(name, random_state=0)
        stages.time(f"fit of {name}", estimator.fit, array[train], dataset.labels[train])
    timed_run(data, out, models=["naive_bayes"], probes=False)
    stages.time("report", write_report, Path(out))
    return {"stages": stages.measured}


def time_report(run: str) -> dict[str, Any]:
    """Tables, figures and page of a run folder, with imports done before."""
    for name in IMPORTS:
        import_module(name)
    from leukbench.report import write_report

    stages = Stages()
    stages.time("report", write_report, Path(run))
    return {"stages": stages.measured}
