"""Facts of the models: what they are, how they were trained, with what."""

from __future__ import annotations

from leukbench.checklists.facts import Facts, plural
from leukbench.checklists.of_data import PREDICTIONS, RUN
from leukbench.report.formats import joined
from leukbench.report.notes import NOT_FOR_DIAGNOSIS, reproduce_command
from leukbench.report.results import Results, initial_weights
from leukbench.score import UNRANKED_FAMILIES

MODELS = Facts()
RECORDS = "trials/*/record.json"


def _competing(results: Results) -> list[str]:
    return [
        name for name, records in results.records.items()
        if records[0].family not in UNRANKED_FAMILIES
    ]  # fmt: skip


@MODELS.add(RECORDS)
def _models(results: Results) -> str:
    told = []
    for name in _competing(results):
        first = results.records[name][0]
        where = f" ({first.reference})" if first.reference else ""
        changes = (
            f" {plural(len(first.departures), 'departure')} from it." if first.departures else ""
        )
        told.append(f"{first.title}{where}: {first.recipe}{changes}".rstrip(": "))
    return " ".join(told)


@MODELS.add(RECORDS)
def _size(results: Results) -> str:
    rows = results.comparison.dropna(subset=["parameters"])
    told = [f"{row.title} {row.parameters:,}" for row in rows.itertuples() if row.family != "probe"]
    return f"Numbers that training sets: {'; '.join(told)}." if told else ""


@MODELS.add(RECORDS, RUN)
def _training(results: Results) -> str:
    training = results.folder.run.protocol.training
    stop = (
        f"ended after {training.early_stopping} epochs without a lower validation loss"
        if training.early_stopping
        else "no early stopping"
    )
    return (
        f"Each network: at most {training.epochs} epochs, batches of {training.batch_size}, {stop}. "
        f"Seeds: {', '.join(map(str, results.seeds))}. The recipe of each model stands in its record."
    )


@MODELS.add(RECORDS)
def _start(results: Results) -> str:
    starts: dict[str, list[str]] = {}
    for name in _competing(results):
        if start := initial_weights(results.records[name]):
            starts.setdefault(start, []).append(results.titles[name])
    told = [f"{start} weights: {joined(titles)}" for start, titles in starts.items()]
    return f"Networks started from {'; '.join(told)}." if told else "No network was trained."


@MODELS.add(RUN, RECORDS)
def _choice(results: Results) -> str:
    kept = (
        "the weights of the epoch with the lowest validation loss"
        if results.folder.run.protocol.training.early_stopping
        and (results.folder.split["part"] == "validation").any()
        else "the weights of the last epoch"
    )
    return (
        f"All {plural(len(_competing(results)), 'model')} that were tried are reported, none was "
        f"selected by its result. A network keeps {kept}. Recipes are fixed before the run; it tunes "
        "nothing."
    )


@MODELS.add(RUN)
def _options(results: Results) -> str:
    options = results.folder.run.protocol.options
    told = [f"{name}: {values}" for name, values in options.items()]
    return f"Changed from the recipe: {'; '.join(told)}." if told else "No recipe was changed."


@MODELS.add(RECORDS)
def _ensembles(results: Results) -> str:
    titles = [
        records[0].title for records in results.records.values()
        if records[0].family == "ensemble"
    ]  # fmt: skip
    return f"Ensembles: {joined(titles)}." if titles else "No ensemble was tried."


@MODELS.add(RUN)
def _software(results: Results) -> str:
    run = results.folder.run
    packages = ", ".join(f"{name} {version}" for name, version in run.environment.packages.items())
    commit = f" (commit {run.environment.git_commit})" if run.environment.git_commit else ""
    return (
        f"leukbench {run.leukbench_version}{commit}, Python {run.environment.python}, {packages}."
    )


@MODELS.add(RUN, RECORDS)
def _machine(results: Results) -> str:
    used = results.folder.run.environment
    devices = sorted({record.device for record in results.folder.records if record.device})
    gpu = f", GPU {joined(devices)}" if devices else ", no GPU"
    seconds = sum(record.total_seconds or 0 for record in results.folder.records)
    return (
        f"{used.cpu}, {plural(used.cores, 'core')}, {used.memory_gb:g} GiB{gpu}, {used.os}. All trials "
        f"together took {seconds / 3600:.1f} hours."
    )


@MODELS.add(RUN)
def _created(results: Results) -> str:
    return f"The run is of {results.folder.run.created[:10]}."


@MODELS.add(RUN)
def _command(results: Results) -> str:
    return (
        f"The same again: {reproduce_command(results)}; leukbench verify RUN checks a run folder."
    )


@MODELS.add(RUN)
def _protocol(results: Results) -> str:
    run = results.folder.run
    return (
        f"The technical protocol stands in full in run.json: {run.protocol.name}, fingerprint "
        f"{run.protocol_fingerprint}."
    )


@MODELS.add(RECORDS)
def _imbalance(results: Results) -> str:
    return (
        "Beyond what the recipe of a model says, nothing was weighted, resampled or made up to balance "
        "the classes, neither in training nor in test."
    )


@MODELS.add(PREDICTIONS)
def _output(results: Results) -> str:
    return (
        "A model gives a probability for each class; the most probable class is its answer. There is no "
        "threshold and no answer such as undecided."
    )


@MODELS.add(PREDICTIONS, RECORDS)
def _predictions(results: Results) -> str:
    number = len(results.trials)
    return (
        f"Probabilities of every test image of {plural(number, 'trial')} are stored, each file with its "
        "sha256; every number of the report follows from them."
    )


@MODELS.add(RECORDS)
def _kept(results: Results) -> str:
    kept = {
        record.title for record in results.folder.records
        if any(name.startswith("model/") for name in record.files)
    }  # fmt: skip
    return f"Trained models in the run folder: {joined(sorted(kept))}." if kept else ""


@MODELS.add(RECORDS)
def _updating(results: Results) -> str:
    return "No model was updated or recalibrated after its evaluation."


@MODELS.add(RUN)
def _not_for_diagnosis(results: Results) -> str:
    return NOT_FOR_DIAGNOSIS
