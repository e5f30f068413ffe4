"""The footnotes that every table carries, and the command that makes the run again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from leukbench.errors import UsageError
from leukbench.protocol import Protocol, builtin_protocols, load_protocol, override
from leukbench.records import TrialRecord
from leukbench.report.results import Results, initial_weights

DEFINITIONS = (
    "Precision, recall, specificity and F1 are macro averages: each class against the rest, every "
    "class with the same weight. Specificity of a class is TN / (TN + FP), the share of the images "
    "of all other classes that are not predicted to be of this class. A class that is never predicted "
    "has a precision and F1 of 0; one without test images has no scores and is left out of averages."
)
CONVENTIONS = (
    "A class that is never predicted has precision and F1 of 0; a class without a test image enters no "
    "average. The Brier score is summed over all classes (0 to 2). ECE takes 15 bins of equal width; a "
    "perfectly calibrated model has one above 0 on finitely many images (leukbench compare tells)."
)
PUBLISHED = (
    "Published values are as printed and never mixed with measured ones; † marks a value that was "
    "measured on another data set."
)
RANKING = (
    "Ranked are the models whose trials all have the status ok. Not ranked are models with a failed "
    "or degenerate trial (one that learned nothing), controls (baselines that any model must beat) "
    "and shortcut probes (classifiers that are shown only what must not decide, such as the "
    "background, the mean colour or the size of the image file)."
)
NOT_FOR_DIAGNOSIS = "Not for diagnosis."


def footnotes(results: Results) -> list[str]:
    """Return the notes in the order in which they are printed."""
    return [
        f"{DEFINITIONS} {_intervals(results)}",
        CONVENTIONS,
        f"{PUBLISHED} {RANKING}",
        *_initial_weights(results),
        *_timing_conditions(results),
        _data(results),
        _protocol(results),
        NOT_FOR_DIAGNOSIS,
    ]


def _initial_weights(results: Results) -> Iterator[str]:
    if results.fine_tuned:
        yield (
            "Networks that start from trained weights were fine-tuned, or kept as they were where it "
            "says frozen: they have seen other images than the training part, so compare them only "
            "with networks that started from the same weights."
        )
    elif any(initial_weights(records) for records in results.records.values()):
        yield "Every network was trained from random weights."


def _timing_conditions(results: Results) -> Iterator[str]:
    """How trials shared the machine; nothing where no trial says so."""
    timed = [r for r in results.folder.records if r.family != "probe" and r.scored and r.threads]
    ways = {(record.jobs or 0, record.threads or 0) for record in timed}
    if ways:
        words = [_sharing(jobs, threads) for jobs, threads in sorted(ways)]
        unlike = "" if len(words) == 1 else ", so that they are not comparable throughout"
        yield f"Times were taken with {', or '.join(words)}{unlike}.{_devices(timed)}"


def _devices(timed: Sequence[TrialRecord]) -> str:
    """Which models used which GPU; empty where all trials ran on the processor."""
    models: dict[str, list[str]] = {}
    for record in timed:
        names = models.setdefault(record.device, [])
        if record.title not in names:
            names.append(record.title)
    parts = [
        f"{', '.join(names)} on the GPU {device}" for device, names in models.items() if device
    ]
    if not parts:
        return ""
    if "" in models:
        parts.append(f"{', '.join(models[''])} on the processor")
    unlike = "; times on different devices are not comparable" if len(parts) > 1 else ""
    return f" Trained and tested were {'; '.join(parts)}{unlike}."


def _sharing(jobs: int, threads: int) -> str:
    """0 jobs where a record does not say how many trials went side by side."""
    cores = _plural(threads, "core")
    if jobs == 0:
        return f"{cores} a trial"
    if jobs == 1:
        return f"one trial at a time on {cores}"
    return f"{jobs} trials side by side on {cores} each"


def _intervals(results: Results) -> str:
    if not results.interval_methods:
        return "There are no predictions yet."
    methods = "; ".join(results.interval_methods)
    groups = f" Groups are {group_word(results)}." if results.groups else ""
    return f"Intervals of accuracy are 95 %: {methods}.{groups}"


def group_word(results: Results) -> str:
    """Return what the groups of the split are: patients, or proxy groups."""
    kinds = {"patient": "patients", "proxy": "proxy groups (duplicates and overlaps), not patients"}
    return kinds.get(results.folder.run.dataset.group_kind, "as given")


def _data(results: Results) -> str:
    data = results.folder.run.dataset
    counts = ", ".join(f"{name} {number}" for name, number in data.counts.items())
    skipped = len(data.skipped)
    left_out = f"; {skipped} unreadable images were left out" if skipped else ""
    total = sum(data.counts.values())
    return (
        f"Dataset: {data.title}, {total} images ({counts}){left_out}; "
        f"fingerprint {data.fingerprint[:16]}." + "".join(f" {note}" for note in data.notes)
    )


def _protocol(results: Results) -> str:
    """The protocol, its fingerprint, the sizes of the parts, seeds and folds."""
    run, split, folds = results.folder.run, results.folder.split, results.folds
    first = split[split["fold"] == folds[0]]["part"].value_counts()
    sizes = ", ".join(
        f"{first[part]} {part}" for part in ("train", "validation", "test") if part in first
    )
    where = " in the first" if len(folds) > 1 else ""
    seeds = results.seeds
    named = f" ({', '.join(map(str, seeds))})" if seeds else ""
    return (
        f"Protocol: {run.protocol.name}, fingerprint {run.protocol_fingerprint[:16]}; "
        f"{_plural(len(folds), 'fold')}, {sizes} images{where}; "
        f"{_plural(len(seeds), 'seed')}{named}; the column Trials counts the trials of each model."
    )


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def reproduce_command(results: Results) -> str:
    """Return the command that makes the run again, from what ``run.json`` and the trials say.

    A protocol that comes with the package is named, with the options that changed it; another one is
    called ``protocol.toml``, and its values stand on the page.
    """
    run = results.folder.run
    if run.outside is not None:
        return run.command
    protocol = run.protocol
    parts = ["leukbench", "run-all"]
    if not run.dataset.synthetic:
        parts += ["--data", run.dataset.name]
    typed = shlex.split(run.command)
    for flag in ("--labels", "--label-pattern", "--group-pattern"):
        if flag in typed[:-1]:
            parts += [flag, typed[typed.index(flag) + 1]]
    parts += _protocol_options(protocol)
    tried = [name for name, records in results.records.items() if records[0].family != "probe"]
    if set(tried) != set(protocol.models or run.models):
        parts += ["--models", ",".join(tried)]
    if results.seeds and set(results.seeds) != set(protocol.seeds):
        parts += ["--seeds", ",".join(map(str, results.seeds))]
    return shlex.join(parts)


def _protocol_options(protocol: Protocol) -> list[str]:
    options = [
        ("--epochs", "training__epochs", protocol.training.epochs),
        ("--task", "task", protocol.task),
        ("--precision", "training__precision", protocol.training.precision),
    ]
    for name in (protocol.name, *builtin_protocols()):
        try:
            base = load_protocol(name)
        except UsageError:
            continue
        changed = [
            (flag, key, value)
            for flag, key, value in options
            if value != _value(base, key) and not isinstance(value, dict)
        ]
        if override(base, **{key: value for _, key, value in changed}).fingerprint == (
            protocol.fingerprint
        ):
            written = [text for flag, _, value in changed for text in (flag, str(value))]
            return ["--protocol", name, *written]
    return ["--protocol", "protocol.toml"]


def _value(protocol: Protocol, key: str) -> object:
    section, _, field = key.rpartition("__")
    return getattr(getattr(protocol, section) if section else protocol, field)
