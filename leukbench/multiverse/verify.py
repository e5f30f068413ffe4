"""Whether a multiverse is what it says: hashes, keys, universes, and every table again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from leukbench.checks.verify_tables import Difference, differing
from leukbench.errors import LeukbenchError
from leukbench.models import registry
from leukbench.multiverse.folder import (
    PREDICTIONS,
    RECORD,
    MultiverseFolder,
    StoredTrial,
    StoredUniverse,
)
from leukbench.multiverse.tables import Results
from leukbench.multiverse.write import texts_of
from leukbench.protocol import Protocol, canonical_sha256
from leukbench.records import SCORED, file_sha256


def multiverse_folders(path: Path) -> list[Path]:
    """The folder of a multiverse itself, or all that lie in it."""
    if (path / RECORD).is_file():
        return [path]
    return sorted(file.parent for file in path.glob(f"*/{RECORD}"))


def verify_multiverse(path: Path) -> list[Difference]:
    """Name every difference in one folder of a multiverse; nothing is written to it."""
    try:
        folder = MultiverseFolder(path)
        return [*_check_record(folder), *_check_tables(folder)]
    except (LeukbenchError, KeyError, IndexError, ValueError) as error:
        return [Difference(RECORD, f"does not fit: {' '.join(str(error).split())}")]


def _check_record(folder: MultiverseFolder) -> Iterator[Difference]:
    record = folder.record
    if file_sha256(folder.path / PREDICTIONS) != record.predictions_sha256:
        yield Difference(PREDICTIONS, f"its sha256 is not the one in {RECORD}")
    for universe, stored in folder.universes:
        if dict(universe.choices) != stored.choices:
            yield Difference(
                RECORD, f"the choices of {stored.name} are not those of its definition"
            )
        if stored.fault:
            continue
        assert universe.protocol is not None
        if universe.protocol.fingerprint != stored.protocol_fingerprint:
            yield Difference(RECORD, f"{stored.name} has the fingerprint of another protocol")
        for key in stored.trials:
            what = _stranger(record.trials[key], stored, universe.protocol)
            if what:
                yield Difference(
                    RECORD, f"{stored.name}: the trial {key[:12]} is of another {what}"
                )
        yield from _check_complete(folder, stored)
    for key, trial in record.trials.items():
        if canonical_sha256(trial.identity) != key:
            yield Difference(RECORD, f"the key {key[:12]} is not the sha256 of its identity")
        if bool(trial.test) != (trial.status in SCORED):
            yield Difference(RECORD, f"the trial {key[:12]} is {trial.status}")
        if trial.test:
            yield from _check_trial(folder, key, trial)


def _stranger(trial: StoredTrial, universe: StoredUniverse, protocol: Protocol) -> str:
    """What of a trial is not its universe's; empty where all is."""
    whole = protocol.model_dump(mode="json")
    stated: dict[str, object] = {
        "dataset": universe.dataset_fingerprint,
        "preprocessing": whole["preprocessing"],
        "task": whole["task"],
        "model": trial.model,
        "seed": trial.seed,
        "fold": trial.fold,
    }
    for key, value in stated.items():
        if trial.identity.get(key, value) != value:
            return key
    parameters = trial.identity["parameters"]
    changed = {
        name: parameters[name] for name in registry.get(trial.model).options if name in parameters
    }
    return "options" if changed != protocol.options.get(trial.model, {}) else ""


def _check_complete(folder: MultiverseFolder, stored: StoredUniverse) -> Iterator[Difference]:
    """Each model has every seed on every fold once."""
    trials = [folder.record.trials[key] for key in stored.trials]
    slots = {(trial.model, trial.fold, trial.seed) for trial in trials}
    if len(slots) < len(trials):
        yield Difference(RECORD, f"{stored.name} has a trial twice")
    folds = {trial.fold for trial in trials}
    for model in folder.record.models:
        own = {(fold, seed) for name, fold, seed in slots if name == model}
        if own != {(fold, seed) for fold in folds for _, seed in own} or not own:
            yield Difference(RECORD, f"{stored.name} lacks a trial of {model}")


def _check_trial(folder: MultiverseFolder, key: str, trial: StoredTrial) -> Iterator[Difference]:
    """The stored predictions of a trial against its test part."""
    test, part = folder.record.tests[trial.test], folder.parts[trial.test]
    if trial.identity["split"] != test.fold_sha256 or trial.fold != test.fold:
        yield Difference(RECORD, f"the trial {key[:12]} was tested on another split")
    predicted, classes = part.predicted[key], len(test.classes)
    if not len(predicted) == len(part.truth) == len(part.images) == test.images:
        yield Difference(PREDICTIONS, f"the trial {key[:12]} has not {test.images} predictions")
    elif max(predicted.max(), part.truth.max()) >= classes:
        yield Difference(PREDICTIONS, f"the trial {key[:12]} has more than {classes} classes")


def _check_tables(folder: MultiverseFolder) -> Iterator[Difference]:
    for name, text in texts_of(Results(folder)).items():
        path = folder.path / name
        if not path.is_file():
            yield Difference(name, "is missing: leukbench report makes it")
            continue
        yield from differing(name, path.read_text(encoding="utf-8"), text)
