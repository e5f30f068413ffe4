"""The footnotes that every table carries: definitions, data, protocol."""

from __future__ import annotations

from leukbench.report.results import Results, initial_weights

DEFINITIONS = (
    "Precision, recall, specificity and F1 are macro averages: each class against the rest, every "
    "class with the same weight. Specificity of a class is TN / (TN + FP), the share of the images "
    "of all other classes that are not called by its name."
)
PUBLISHED = (
    "Published values are as printed and never mixed with measured ones; † marks a value that was "
    "measured on another data set. Status ok means that every trial ended well; controls, "
    "degenerate and failed models and shortcut probes are not ranked."
)
NOT_FOR_DIAGNOSIS = "Not for diagnosis."


def footnotes(results: Results) -> list[str]:
    """Return the notes in the order in which they are printed."""
    return [
        f"{DEFINITIONS} {interval_note(results)}",
        PUBLISHED,
        *weights_note(results),
        *sharing_note(results),
        data_note(results),
        protocol_note(results),
        NOT_FOR_DIAGNOSIS,
    ]


def weights_note(results: Results) -> list[str]:
    """Return what the networks started from; nothing where there are none."""
    starts = {initial_weights(records) for records in results.records.values()} - {""}
    if not starts:
        return []
    if results.fine_tuned:
        return ["Networks that start from trained weights were fine-tuned: compare like with like."]
    return ["Every network was trained from random weights."]


def sharing_note(results: Results) -> list[str]:
    """Return under which conditions times were taken; nothing where no trial says so."""
    ways = {
        (record.jobs or 0, record.threads)
        for record in results.folder.records
        if record.family != "probe" and record.scored and record.threads
    }
    if not ways:
        return []
    words = [_way(jobs, threads) for jobs, threads in sorted(ways)]
    unlike = "" if len(words) == 1 else ", so that they are not comparable throughout"
    return [f"Times were taken with {', or '.join(words)}{unlike}."]


def _way(jobs: int, threads: int) -> str:
    """How trials shared the machine; 0 jobs where a record does not say how many went side by side."""
    cores = _plural(threads, "core")
    if jobs == 0:
        return f"{cores} a trial"
    if jobs == 1:
        return f"one trial at a time on {cores}"
    return f"{jobs} trials side by side on {cores} each"


def interval_note(results: Results) -> str:
    """Return how the intervals were found."""
    if not results.interval_methods:
        return "There are no predictions yet."
    methods = "; ".join(results.interval_methods)
    groups = "" if not results.groups else f" Groups are {group_word(results)}."
    return f"Intervals of accuracy are 95 %: {methods}.{groups}"


def group_word(results: Results) -> str:
    """Return what the groups of the split are: patients, or proxy groups."""
    known = {"patient": "patients", "proxy": "proxy groups (duplicates and overlaps), not patients"}
    return known.get(results.folder.run.dataset.group_kind, "as given")


def data_note(results: Results) -> str:
    """Return the dataset, its counts and its fingerprint."""
    data = results.folder.run.dataset
    counts = ", ".join(f"{name} {number}" for name, number in data.counts.items())
    skipped = len(data.skipped)
    left_out = f"; {skipped} unreadable images were left out" if skipped else ""
    total = sum(data.counts.values())
    return (
        f"Dataset: {data.title}, {total} images ({counts}){left_out}; "
        f"fingerprint {data.fingerprint[:16]}."
    )


def protocol_note(results: Results) -> str:
    """Return the protocol, its fingerprint, the sizes of the parts, seeds and folds."""
    run, split = results.folder.run, results.folder.split
    first = split[split["fold"] == results.folds[0]]["part"].value_counts()
    sizes = ", ".join(
        f"{first[part]} {part}" for part in ("train", "validation", "test") if part in first
    )
    seeds = results.seeds
    named = f" ({', '.join(map(str, seeds))})" if seeds else ""
    return (
        f"Protocol: {run.protocol.name}, fingerprint {run.protocol_fingerprint[:16]}; "
        f"{_plural(len(results.folds), 'fold')}, {sizes} images in the first; "
        f"{_plural(len(seeds), 'seed')}{named}; a model's trials are counted in its row."
    )


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
