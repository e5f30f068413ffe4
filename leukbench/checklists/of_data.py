"""Facts of the images: where they come from, how they are prepared and divided."""

from __future__ import annotations

from leukbench.audit.findings import KINDS, TITLES
from leukbench.checklists.facts import Facts, plural
from leukbench.data.splits import SEEN
from leukbench.report.audit_view import divided_patients, partner_sentences
from leukbench.report.formats import SYNTHETIC, joined
from leukbench.report.results import Results

DATA = Facts()
RUN, SPLIT, AUDIT, PREDICTIONS = (
    "run.json",
    "split.csv",
    "audit.json",
    "trials/*/predictions.parquet",
)
PARTS = ("train", "validation", "test")
POLICIES = {
    "paper": "at random, not stratified",
    "stratified": "at random within each class",
    "grouped": "by groups, each of which stands in one part",
    "blocks": "by stretches of neighbouring file numbers within each class",
    "repeated-kfold": "by repeated k-fold at random within each class",
    "given": "as the split came with the images",
}


@DATA.add(RUN)
def _source(results: Results) -> str:
    data = results.folder.run.dataset
    if data.synthetic:
        return f"{SYNTHETIC} images, rendered by leukbench: no patient stands behind them."
    cited = data.citation.removesuffix(".")
    return f"{data.title}. Cited as: {cited}." if cited else ""


@DATA.add(RUN, SPLIT)
def _images(results: Results) -> str:
    data = results.folder.run.dataset
    counts = ", ".join(f"{name} {number}" for name, number in data.counts.items())
    return f"{plural(data.images, 'image')} ({counts}); sha256 of all of them {data.fingerprint}."


@DATA.add(RUN, SPLIT)
def _fingerprint(results: Results) -> str:
    digest = results.folder.run.dataset.fingerprint
    return f"Version: sha256 {digest} over path, label, group and content of every image."


@DATA.add(RUN)
def _licence(results: Results) -> str:
    licence = results.folder.run.dataset.licence
    return f"Terms of the images: {licence}." if licence else ""


@DATA.add(RUN)
def _skipped(results: Results) -> str:
    skipped = results.folder.run.dataset.skipped
    if not skipped:
        return "Every image of the folder was read; none was left out."
    names = ", ".join(f"{one.path} ({one.reason})" for one in skipped[:5])
    more = " and others" if len(skipped) > 5 else ""
    return f"{plural(len(skipped), 'unreadable file')} left out: {names}{more}."


@DATA.add(RUN)
def _labels(results: Results) -> str:
    run = results.folder.run
    task = run.protocol.task
    joined_from = "" if task == "all" else f", joined from the folder's by the task {task}"
    return (
        f"The outcome is the class of an image, one of {joined(run.task_classes)}{joined_from}. "
        "Labels are those that came with the images; leukbench did not check them."
    )


@DATA.add(RUN)
def _task(results: Results) -> str:
    run = results.folder.run
    return f"Here: classification into {joined(run.task_classes)}, protocol {run.protocol.name}."


@DATA.add(RUN)
def _inputs(results: Results) -> str:
    return (
        "The only input of a model is the preprocessed image; patient, file name and file size are "
        "not shown to it. No predictors were selected by hand."
    )


@DATA.add(RUN)
def _preprocessing(results: Results) -> str:
    used = results.folder.run.protocol.preprocessing
    steps = [
        f"resized to {used.size}x{used.size} pixels",
        "grey" if used.channels == 1 else "colour",
    ]
    if used.median_kernel > 1:
        steps.append(f"median filter of {used.median_kernel} pixels")
    if used.segmentation != "none":
        steps.append(f"everything but leukocytes blackened ({used.segmentation})")
    if used.crop:
        steps.append("cut to the largest cell")
    return f"The same fixed steps for every image, whatever its class: {'; '.join(steps)}."


@DATA.add(SPLIT, RUN)
def _split(results: Results) -> str:
    split = results.folder.run.protocol.split
    folds = plural(len(results.folds), "fold")
    return f"Images were divided {POLICIES[split.policy]}; {folds}, seed {split.seed}."


@DATA.add(SPLIT)
def _parts(results: Results) -> str:
    table = results.folder.split
    first = table[table["fold"] == results.folds[0]]
    told = []
    for part in PARTS:
        labels = first.loc[first["part"] == part, "label"].value_counts()
        counts = ", ".join(f"{name} {labels.get(name, 0)}" for name in results.folder.classes)
        if len(labels):
            told.append(f"{part} {labels.sum()} ({counts})")
    where = "In the first fold: " if len(results.folds) > 1 else ""
    return f"{where}{'; '.join(told)}."


@DATA.add(SPLIT, AUDIT)
def _separation(results: Results) -> str:
    folder = results.folder
    known = folder.run.dataset.group_kind == "patient"
    told = [*divided_patients(folder), *partner_sentences(results)]
    if known and not divided_patients(folder):
        told.insert(0, "No patient has images both in training and in test.")
    if not known:
        told.insert(
            0, "Patients are not known, so that it cannot be told whether one is in two parts."
        )
    if folder.audit is None or not folder.audit.split:
        told.append("No audit looked for duplicates across the split.")
    elif not any(fold.leaked for fold in folder.audit.split):
        told.append("The audit found no test image with a duplicate or overlap in training.")
    return " ".join(told)


@DATA.add(AUDIT)
def _audit(results: Results) -> str:
    report = results.folder.audit
    if report is None:
        return ""
    found = [f"{TITLES[kind]}: {report.counts[kind]}" for kind in KINDS]
    return f"The audit of all images found: {'; '.join(found)}."


@DATA.add(SPLIT, RUN)
def _groups(results: Results) -> str:
    table = results.folder.split
    number = int(table.loc[table["group"] != "", "group"].nunique())
    if not number:
        return ""
    if results.folder.run.dataset.group_kind == "patient":
        return f"{plural(number, 'patient')}; intervals and tests take patients as units."
    return (
        f"{plural(number, 'proxy group')} of duplicates and overlapping images stand for patients, who "
        "are not known; intervals and tests take them as units."
    )


@DATA.add(RUN, SPLIT)
def _isolation(results: Results) -> str:
    folder = results.folder
    validated = bool((folder.split["part"] == "validation").any())
    seen = " and ".join(part for part in SEEN if validated or part != "validation")
    watched = (
        ""
        if validated
        else " The loss of a network on the test images is recorded after each epoch and decides nothing."
    )
    return (
        "Preprocessing learns nothing from the images. Each model is fitted anew in each fold, from the "
        f"{seen} images alone.{watched}"
    )
