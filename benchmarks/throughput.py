"""Training of the VGG nets against the machine's own matrix product in the same precision."""

from __future__ import annotations

from statistics import median

from benchmarks.process import Settings, call
from benchmarks.result import TARGETS, Line, Outcome

NETWORKS = ("vgg16", "vgg19")


def measure(settings: Settings) -> Outcome:
    """Share of the peak that an epoch after the first reaches.

    The work of an epoch is taken as three times that of the forward pass (the backward pass
    computes two products of the same size for each), without activations, pooling and the optimizer;
    the peak is the best of several sizes of matrix product, measured in the same process before and
    after training.
    """
    names = settings.chosen(NETWORKS)
    images, epochs = (512, 3) if settings.quick else (2604, 4)
    images = settings.fewer or images
    answer = call("benchmarks.training:auto_precisions", cache=settings.cache, models=names)
    precisions = answer["precisions"]
    lines = []
    for name in names:
        runs = [
            call(
                "benchmarks.training:train",
                model=name,
                precision=precisions[name],
                images=images,
                epochs=epochs,
                peak_seconds=0.5 if settings.quick else 1.5,
                optimizer=True,
            )
            for _ in range(settings.repeats)
        ]
        epoch = [median(run["epoch_seconds"]) for run in runs]
        work = 3 * runs[0]["flops"] * images / 1e9
        reached = [work / seconds for seconds in epoch]
        peaks = [run["peak"] for run in runs]
        update = median(run["optimizer_seconds"] for run in runs)
        share = update * runs[0]["steps"] / median(epoch)
        lines += [
            Line(
                f"{name}, training over matrix product, {precisions[name]}",
                tuple(a / b for a, b in zip(reached, peaks, strict=True)),
                "",
                TARGETS["throughput"],
                f"{median(reached):.0f} of {median(peaks):.0f} GFLOP/s; "
                f"{median(epoch):.2f} s an epoch of {images} images",
            ),
            Line(
                f"{name}, share of an epoch in the optimizer",
                (100 * share,),
                "%",
                None,
                f"{1000 * update:.1f} ms a step for {runs[0]['parameters'] / 1e6:.1f} million weights, "
                "bound by memory, as it reads and writes each with its two moments; all but the "
                f"optimizer reaches {median(reached) / median(peaks) / (1 - share):.2f} of the peak",
            ),
        ]
    return Outcome(lines)
