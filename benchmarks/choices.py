"""What leukbench chooses, against the other choice forced."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.clock import NETWORKS, run_in_child
from benchmarks.process import ChildFailed, Settings, alternate, call
from benchmarks.result import TARGETS, Line, Outcome, ratios, seconds_of

TRAIN = "benchmarks.training:train"
WITHOUT_ONEDNN = {"TF_ENABLE_ONEDNN_OPTS": "0"}
ONE_THREAD = {"LOKY_MAX_CPU_COUNT": "1"}
SMALL = "modified_cnn"
FEW = (SMALL, "mobilenet_v2")
QUICK = (SMALL, "vgg16", "mobilenet_v2")
"""For the precision; everything else is shown on `SMALL` alone when it has to be quick."""

Side = list[dict[str, Any]]


def measure(settings: Settings) -> Outcome:
    """One line a choice: the time of the other over the time of the chosen, 1 or more is right."""
    answer = call("benchmarks.training:auto_precisions", cache=settings.cache, models=NETWORKS)
    precisions: dict[str, str] = answer["precisions"]
    refused: list[str] = []
    lines = [
        *_precision(settings, precisions),
        *_jit(settings, precisions, refused),
        *_side_by_side(settings, precisions),
        *_feeding(settings, precisions),
        *_products(settings),
        *_onednn(settings, precisions),
        *_threads(settings),
        _fourier(settings),
        _one_worker(settings),
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


def _few(settings: Settings) -> list[str]:
    return settings.chosen((SMALL,) if settings.quick else FEW)


def _both(settings: Settings, work: dict[str, Any], **other: Any) -> tuple[Side, Side]:
    """Children that do some work as leukbench does, and with other arguments, in turn."""
    return alternate(lambda: call(**work), lambda: call(**work | other), settings.repeats)


def _line(
    what: str,
    names: tuple[str, str],
    seconds: tuple[list[float], list[float]],
    more: str = " an epoch",
) -> Line:
    """The time of the other over the time of the chosen."""
    mine, others = seconds
    return Line(
        what,
        ratios(others, mine),
        "x",
        TARGETS["choice"],
        f"{seconds_of(names[0], mine)}, {seconds_of(names[1], others)}{more}",
    )


def _epochs(*sides: Side) -> tuple[list[float], list[float]]:
    mine, others = ([median(run["epoch_seconds"]) for run in side] for side in sides)
    return mine, others


def _training(
    name: str, precisions: dict[str, str], images: int, epochs: int = 3
) -> dict[str, Any]:
    work: dict[str, Any] = {"function": TRAIN, "model": name, "precision": precisions[name]}
    return work | {"images": images, "epochs": epochs}


def _precision(settings: Settings, precisions: dict[str, str]) -> list[Line]:
    lines = []
    for name in settings.chosen(QUICK if settings.quick else NETWORKS):
        chosen = precisions[name]
        other = "float32" if chosen != "float32" else "mixed_bfloat16"
        work = _training(name, precisions, _images(settings, name))
        sides = _both(settings, work, precision=other)
        lines.append(_line(f"{name}: auto picks {chosen}", (chosen, other), _epochs(*sides)))
    return lines


def _jit(settings: Settings, precisions: dict[str, str], refused: list[str]) -> list[Line]:
    lines = []
    for name in _few(settings) if settings.quick else settings.chosen(NETWORKS):
        work = _training(name, precisions, min(640, _images(settings, name)))
        try:
            sides = _both(settings, work, function="benchmarks.training:flipped_jit")
        except ChildFailed as error:
            refused.append(f"{name} cannot be trained both with and without XLA: {error}.")
            continue
        words = ("without XLA", "with XLA")
        if sides[0][0]["jit_compile"]:
            words = (words[1], words[0])
        first = [median(run["first_seconds"] for run in side) for side in sides]
        more = f" an epoch; first epoch {first[0]:.1f} and {first[1]:.1f} s"
        lines.append(_line(f"{name}: {words[0]}", words, _epochs(*sides), more))
    return lines


def _side_by_side(settings: Settings, precisions: dict[str, str]) -> list[Line]:
    lines = []
    for name in _few(settings) if settings.quick else settings.chosen(NETWORKS):
        options: dict[str, Any] = {
            "models": [name],
            "seeds": [0, 1],
            "epochs": 8 if name in FEW and not settings.quick else 2,
            "precision": precisions[name],
            "probes": False,
        }
        chosen, other = alternate(
            lambda options=options: run_in_child(settings, settings.cache, **options),
            lambda options=options: run_in_child(settings, settings.cache, jobs=1, **options),
            settings.repeats,
        )
        jobs, threads = (chosen[0]["records"][0][key] for key in ("jobs", "threads"))
        way = f"{jobs} side by side, cores each: {threads}"
        seconds = ([run["trials"] for run in chosen], [run["trials"] for run in other])
        names = (way, "one after another")
        lines.append(
            _line(f"{name}, two trials: {way}", names, seconds, ", child's start included")
        )
    return lines


def _feeding(settings: Settings, precisions: dict[str, str]) -> list[Line]:
    lines = []
    for name in _few(settings):
        work = _training(name, precisions, _images(settings, name), epochs=4)
        work |= {"function": "benchmarks.training:feed", "source": "batches"}
        seconds = _epochs(*_both(settings, work, source="arrays"))
        names = ("leukbench", "what Keras makes of arrays")
        lines.append(_line(f"{name}: batches without autotuning", names, seconds))
    return lines


def _products(settings: Settings) -> list[Line]:
    lines = []
    for name in settings.chosen(("vgg16",)):
        work = _training(name, {name: "mixed_bfloat16"}, min(640, _images(settings, name)))
        sides = _both(settings, work, function="benchmarks.training:without_products")
        names = ("products", "TensorFlow's own")
        what = f"{name}, mixed_bfloat16: weight gradients of small maps by products"
        lines.append(_line(what, names, _epochs(*sides)))
    return lines


def _onednn(settings: Settings, precisions: dict[str, str]) -> list[Line]:
    """TensorFlow's own choice on such a processor, which leukbench leaves as it is."""
    lines = []
    for name in _few(settings):
        work = _training(name, precisions, 256 if settings.quick else 1280)
        seconds = _epochs(*_both(settings, work, environment=WITHOUT_ONEDNN))
        lines.append(_line(f"{name}: with oneDNN", ("with", "without"), seconds))
    return lines


def _threads(settings: Settings) -> list[Line]:
    lines = []
    for name in settings.chosen(("svm_rbf", "random_forest")):
        work: dict[str, Any] = {"function": "benchmarks.fitting:fit", "cache": settings.cache}
        work |= {"model": name, "data": str(settings.images)}
        sides = _both(settings, work, environment=ONE_THREAD)
        lines.append(_same_result(f"{name}: fitted on all threads", "on one thread", *sides))
    return lines


def _fourier(settings: Settings) -> Line:
    work: dict[str, Any] = {"function": "benchmarks.fitting:spectra", "cache": settings.cache}
    sides = _both(settings, work | {"data": str(settings.images), "batch": True}, batch=False)
    return _same_result("Fourier spectra: one transform over a batch", "image by image", *sides)


def _same_result(what: str, other: str, chosen: Side, rest: Side) -> Line:
    """A line that compares two ways of computing a result, and says whether the results are identical."""
    same = len({run["sha256"] for run in [*chosen, *rest]}) == 1
    mine, others = ([run["seconds"] for run in side] for side in (chosen, rest))
    more = f"; results {'identical' if same else 'DIFFERENT'}"
    return _line(what, ("chosen", other), (mine, others), more)


def _one_worker(settings: Settings) -> Line:
    seeds = [0, 1, 2]
    options: dict[str, Any] = {
        "models": [SMALL],
        "epochs": 1 if settings.quick else 4,
        "probes": False,
        "jobs": 1,
    }
    one, fresh = alternate(
        lambda: [run_in_child(settings, settings.cache, seeds=seeds, **options)],
        lambda: [run_in_child(settings, settings.cache, seeds=[s], **options) for s in seeds],
        settings.repeats,
    )
    mine, others = ([sum(run["trials"] for run in runs) for runs in side] for side in (one, fresh))
    predictions = {
        tuple(record["predictions"] for run in runs for record in _by_seed(run))
        for runs in [*one, *fresh]
    }
    same = "identical" if len(predictions) == 1 else "DIFFERENT"
    return _line(
        f"{SMALL}, three trials: one worker that keeps TensorFlow imported",
        ("one worker", "a fresh child each"),
        (mine, others),
        f"; predictions {same}",
    )


def _by_seed(run: dict[str, Any]) -> Side:
    return sorted(run["records"], key=lambda record: record["seed"])
