"""What the audit and the split say about test images that training has seen."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from leukbench.audit.findings import KINDS, TITLES, AuditReport
from leukbench.data.splits import SEEN
from leukbench.report.formats import joined, number, percent
from leukbench.report.results import Results, rows_of
from leukbench.runfolder import RunFolder
from leukbench.score.leakage import failing_controls

FEW_TESTED = 5


def seen_copies(split: pd.DataFrame) -> tuple[int, int]:
    """Count the test images with a byte-identical copy in training or validation, and all of them.

    `split` is ``split.csv``; an image counts once a fold.
    """
    test = split[split["part"] == "test"]
    known = split["part"].isin(SEEN) & (split["sha256"] != "")
    training = split.loc[known, ["fold", "sha256"]].drop_duplicates()
    return len(test.merge(training, on=["fold", "sha256"])), len(test)


def divided_patients(folder: RunFolder) -> list[str]:
    """Return how many patients stand on both sides of the split, where patients are known."""
    if folder.run.dataset.group_kind != "patient":
        return []
    divided: set[str] = set()
    split = folder.split
    for _, fold in split.groupby("fold"):
        held = fold["part"] == "test"
        seen = fold["part"].isin(SEEN)
        divided |= set(fold.loc[held, "group"]) & set(fold.loc[seen, "group"])
    if not divided:
        return []
    return [
        f"{len(divided)} of {split['group'].nunique()} patients have images both in training and in "
        "test: these numbers do not show how a model does on new patients."
    ]


def rare_classes(results: Results) -> list[str]:
    """Return which classes have few test images, and which a ranked model never predicts."""
    split = results.folder.split
    tested = split[split["part"] == "test"].groupby("label")["image"].nunique()
    few = {name: int(tested.get(name, 0)) for name in results.folder.classes}
    few = {name: images for name, images in few.items() if images < FEW_TESTED}
    sentences = []
    if few:
        counts = ", ".join(f"{name} {images}" for name, images in few.items())
        sentences.append(
            f"Few test images ({counts}): the scores of these classes, and their part in every macro "
            "average, rest on them alone."
        )
    never = {}
    for name in results.ranked["model"]:
        matrix = results.confusion[name]
        missed = matrix.index[(matrix.sum(axis=0) == 0).to_numpy() & (matrix.sum(axis=1) > 0)]
        if len(missed):
            never[results.titles[name]] = ", ".join(map(str, missed))
    if never:
        told = "; ".join(f"{classes} by {title}" for title, classes in never.items())
        sentences.append(f"Never predicted, though tested: {told}.")
    return sentences


def partner_sentences(results: Results) -> Iterator[str]:
    """Give what stands over every table about leakage; nothing where there is none."""
    folder = results.folder
    allowed = folder.run.protocol.audit.allow_duplicates_across_split
    seen, tested = seen_copies(folder.split)
    folds = folder.audit.split if folder.audit else ()
    leaked = sum(fold.leaked for fold in folds)
    if not seen and not leaked and (folds or not allowed):
        return
    start = (
        "The protocol allows duplicates across the split"
        if allowed
        else "Test images have duplicates or overlapping images in training"
    )
    text = f"{start}: {seen} of {tested} test images have a byte-identical copy in training"
    if not folds:
        yield f"{text}; no audit has looked for near-duplicates and overlapping fields of view."
        return
    audited = sum(fold.test for fold in folds)
    near = sum(fold.near for fold in folds)
    overlapping = sum(fold.overlapping for fold in folds)
    yield (
        f"{text}; with near-duplicates ({near}) and overlapping fields of view ({overlapping}), "
        f"{leaked} of {audited} have a partner in training."
    )
    yield from _on_the_rest(results)


def clean_accuracy(results: Results) -> pd.DataFrame:
    """Accuracy of each model on all test images, and on those without a partner in training.

    Columns ``model``, ``title``, ``accuracy``, ``clean`` (mean over seeds, then folds), ``leaked``
    (on the images with a partner) and ``images`` (clean ones, over the folds); empty without an audit
    of the split.
    """
    report = results.folder.audit
    clean = {fold.fold: set(fold.clean) for fold in report.split} if report else {}
    every = results.predictions[results.predictions["fold"].isin(clean)]
    if every.empty:
        return pd.DataFrame(columns=["model", "title", "accuracy", "clean", "leaked", "images"])
    pairs = zip(every["image"], every["fold"], strict=True)
    every = every.assign(clean=[image in clean[fold] for image, fold in pairs])
    by_trial = every.groupby(["model", "clean", "fold", "seed"])["right"].mean()
    by_fold = by_trial.groupby(["model", "clean", "fold"]).mean()
    means = by_fold.groupby(["model", "clean"]).mean().unstack("clean")
    means = means.reindex(columns=[True, False]).set_axis(["clean", "leaked"], axis=1)
    table = results.comparison[["model", "title", "accuracy"]].merge(means, on="model")
    return table.assign(images=sum(len(images) for images in clean.values()))


def _on_the_rest(results: Results) -> Iterator[str]:
    """The best model's accuracy where training has seen no partner."""
    if results.ranked.empty:
        return
    best = results.ranked.iloc[0]["model"]
    table = clean_accuracy(results).dropna(subset=["clean", "leaked"])
    for row in rows_of(table[table["model"] == best]):
        yield (
            f"On the {row['images']} test images without a partner in training, the best model, "
            f"{row['title']}, has an accuracy of {percent(row['clean'])}; on those with one, of "
            f"{percent(row['leaked'])}{_class_by_class(results, best)}."
        )


def _class_by_class(results: Results, model: str) -> str:
    """The same difference without that of the classes' shares, and whether controls show none."""
    effects = results.leakage
    row = next((row for row in rows_of(effects) if row["model"] == model), None)
    if row is None:
        return ""
    words = (
        f". Within classes, a partner is worth {100 * row['difference']:+.1f} points "
        f"({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"
    )
    if odd := failing_controls(effects):
        names = joined([results.titles[name] for name in odd])
        words += (
            f", but {names}, which no partner can help, shows a difference too: it is no leakage"
        )
    return words


def audit_counts(report: AuditReport) -> list[list[str]]:
    """Rows of the table of findings: kind, how many, how many across classes."""
    return [
        [TITLES[kind], str(report.counts[kind]), str(report.across_classes[kind])] for kind in KINDS
    ]


def audit_findings(report: AuditReport, most: int = 60) -> list[list[str]]:
    """Rows of the list of findings: kind, files, labels, correlation, note; the first of each kind."""
    return [
        [
            TITLES[kind],
            ", ".join(finding.files),
            ", ".join(dict.fromkeys(finding.labels)),
            number(finding.measures.get("correlation")),
            finding.note,
        ]
        for kind in KINDS
        for finding in [one for one in report.findings if one.kind == kind][:most]
    ]
