"""Carry out a multiverse: every universe an ordinary run, every trial once, and then the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from leukbench._version import __version__
from leukbench.data.splits import fold_sha256
from leukbench.errors import DataError, LeukbenchError, UsageError
from leukbench.files import cache_dir
from leukbench.machine import available_cores, describe_environment
from leukbench.models import registry
from leukbench.multiverse.definition import COPIES, Defined, Universe, read_definition
from leukbench.multiverse.folder import (
    RECORD,
    RUNS,
    MultiverseFolder,
    MultiverseRecord,
    StoredModel,
    StoredTest,
    StoredTrial,
    StoredUniverse,
    TestPart,
    test_part,
    write_folder,
)
from leukbench.multiverse.write import write_results
from leukbench.protocol import canonical_sha256
from leukbench.records import DatasetDescription, TrialRecord, read_record
from leukbench.runfolder import RunFolder
from leukbench.score.arrays import group_codes, groups_from_split
from leukbench.trials.execute import describe_run
from leukbench.trials.execute import execute as execute_run
from leukbench.trials.local import Reporter
from leukbench.trials.lock import FolderLock
from leukbench.trials.options import RunOptions
from leukbench.trials.precision import stored_speedups
from leukbench.trials.prepare import Preparation, prepare

SIDE_BY_SIDE = 2

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """A multiverse before its first universe."""

    defined: Defined
    data: Path | None
    out: Path
    reuse: tuple[Path, ...]
    jobs: int
    skip_unreadable: bool
    command: str


@dataclass
class _Gathered:
    """What the universes left, as it is gathered one by one."""

    universes: list[StoredUniverse] = field(default_factory=list)
    trials: dict[str, StoredTrial] = field(default_factory=dict)
    tests: dict[str, StoredTest] = field(default_factory=dict)
    parts: dict[str, TestPart] = field(default_factory=dict)
    datasets: dict[str, DatasetDescription] = field(default_factory=dict)


def ask(
    file: str | Path,
    data: str | Path | None,
    *,
    out: str | Path | None,
    reuse: Sequence[str | Path],
    jobs: int | None,
    skip_unreadable: bool,
    command: str,
) -> Asked:
    """Read a definition as `leukbench.run_multiverse` takes it; nothing is trained."""
    defined = read_definition(Path(file))
    if defined.definition.copies and data is None:
        raise UsageError(
            f"{file} names copies of the images, and `data` is not given: name their folder."
        )
    for folder in map(Path, reuse):
        if not folder.is_dir():
            raise UsageError(f"`reuse={folder}` is no folder: name one that holds run folders.")
    place = Path(out) if out is not None else Path("results") / defined.definition.name
    if (place / RECORD).is_file():
        before = MultiverseFolder(place).defined.definition.name
        if before != defined.definition.name:
            raise UsageError(f"`out={place}` holds the multiverse {before}: name another folder.")
    return Asked(
        defined=defined,
        data=None if data is None else Path(data),
        out=place,
        reuse=tuple(map(Path, reuse)),
        jobs=jobs or min(SIDE_BY_SIDE, available_cores()),
        skip_unreadable=skip_unreadable,
        command=command,
    )


def prepared_universe(asked: Asked, universe: Universe) -> Preparation:
    """The run of one universe before its first trial; the shortcut probes are left out.

    `LeukbenchError` where the combination is impossible, or images or split do not allow it.
    """
    if universe.protocol is None:
        raise UsageError(universe.fault)
    data = asked.data
    if data is not None and COPIES in universe.choices:
        data = data / asked.defined.definition.copies[str(universe.choices[COPIES])]
    prepared = prepare(
        RunOptions(
            data=data,
            protocol=universe.protocol,
            models=asked.defined.models,
            seeds=asked.defined.definition.seeds,
            out=asked.out / RUNS / universe.name,
            jobs=asked.jobs,
            threads=1,
            skip_unreadable=asked.skip_unreadable,
            command=asked.command,
        )
    )
    return replace(prepared, plans=[plan for plan in prepared.plans if plan.spec.competes])


def finished_elsewhere(asked: Asked) -> dict[str, Path]:
    """Folders of finished trials by key: those of all universes, and below the folders to reuse."""
    found = {}
    for root in (*asked.reuse, asked.out / RUNS):
        for file in sorted(root.rglob("trials/*/record.json")):
            with suppress(DataError):
                if read_record(file).scored:
                    found[file.parent.name] = file.parent
    return found


def plan_lines(asked: Asked) -> Iterator[str]:
    """What a dry run says of each universe, and in the end of all."""
    elsewhere, planned, waiting = finished_elsewhere(asked), set[str](), set[str]()
    universes = asked.defined.universes
    for universe in universes:
        try:
            keys = {plan.key for plan in prepared_universe(asked, universe).plans}
        except LeukbenchError as error:
            yield f"  {universe.name}: cannot be run: {error}"
            continue
        new = keys - set(elsewhere)
        yield (
            f"  {universe.name}: {len(keys)} trials, {len(keys - new)} finished, "
            f"{len(new & planned)} shared with universes above, {len(new - planned)} to train"
        )
        planned |= keys
        waiting |= new
    yield (
        f"  {len(universes)} universes of {asked.defined.definition.combinations}: {len(planned)} "
        f"different trials, {len(waiting)} to train; nothing was run (--dry-run)"
    )


def execute(asked: Asked, reporter: Reporter, tell: Tell) -> MultiverseFolder:
    """Run what is not finished, gather all predictions, and write the tables.

    A universe that fails leaves the others standing. `LeukbenchError` where all fail, or the folder
    cannot be written.
    """
    with FolderLock(asked.out, asked.command):
        return _execute(asked, reporter, tell)


def _execute(asked: Asked, reporter: Reporter, tell: Tell) -> MultiverseFolder:
    gathered = _Gathered()
    elsewhere = finished_elsewhere(asked)
    universes = asked.defined.universes
    fault: LeukbenchError | None = None
    for number, universe in enumerate(universes, start=1):
        tell(f"universe  {number} of {len(universes)}: {universe.name}")
        try:
            prepared = prepared_universe(asked, universe)
            run = execute_run(prepared, reporter, elsewhere=elsewhere, report=False)
        except LeukbenchError as error:
            fault = fault or error
            tell(f"failed    {universe.name}: {error}")
            stored = StoredUniverse(
                name=universe.name, choices=dict(universe.choices), fault=_alone(asked, error)
            )
            gathered.universes.append(stored)
            continue
        elsewhere |= {record.key: run.trial_path(record) for record in run.records}
        _gather(gathered, universe, prepared, run)
    if fault and all(one.fault for one in gathered.universes):
        raise fault
    record = _record(asked, gathered)
    folder = write_folder(asked.out, asked.defined.text, record, gathered.parts)
    write_results(folder)
    return folder


def _alone(asked: Asked, error: LeukbenchError) -> str:
    """A fault without the folders of this machine."""
    text = str(error)
    for folder in (asked.data, asked.out, cache_dir()):
        if folder is not None:
            text = text.replace(f"{folder}/", "")
    return text


def _gather(gathered: _Gathered, universe: Universe, prepared: Preparation, run: RunFolder) -> None:
    """Take the trials of a universe that were asked for, and their predictions."""
    wanted = {plan.key: plan for plan in prepared.plans}
    records = {record.key: record for record in run.records if record.key in wanted}
    split = prepared.split
    images = sorted(split["image"].unique())
    codes = group_codes(images, groups_from_split(split)).tolist()
    groups = dict(zip(images, codes, strict=True))
    for fold in sorted({plan.fold for plan in prepared.plans}):
        test = StoredTest(
            dataset_fingerprint=prepared.source.fingerprint,
            fold_sha256=fold_sha256(split, fold),
            fold=fold,
            classes=prepared.dataset.classes,
            images=int(((split["fold"] == fold) & (split["part"] == "test")).sum()),
        )
        name = canonical_sha256(test.model_dump(mode="json"))[:12]
        own = {key: one for key, one in records.items() if one.fold == fold and one.scored}
        if own:
            frames = {key: run.predictions(record) for key, record in own.items()}
            part = test_part(frames, test.classes, groups)
            before = gathered.parts.get(name)
            if before is not None:
                part = replace(part, predicted={**before.predicted, **part.predicted})
            gathered.parts[name], gathered.tests[name] = part, test
        for key, plan in wanted.items():
            if plan.fold == fold and key in records:
                gathered.trials[key] = _trial(records[key], name)
    source = describe_run(prepared).dataset
    gathered.datasets[source.fingerprint] = source
    gathered.universes.append(
        StoredUniverse(
            name=universe.name,
            choices=dict(universe.choices),
            protocol_fingerprint=run.run.protocol_fingerprint,
            dataset_fingerprint=source.fingerprint,
            split_sha256=run.run.split_sha256,
            trials=tuple(key for key in wanted if key in records),
        )
    )


def _trial(record: TrialRecord, test: str) -> StoredTrial:
    return StoredTrial(
        model=record.model,
        seed=record.seed,
        fold=record.fold,
        status=record.status,
        reason=record.reason,
        n_train=record.n_train,
        test=test if record.scored else "",
        predictions_sha256=record.files.get("predictions.parquet", ""),
        identity=record.identity,
    )


def _record(asked: Asked, gathered: _Gathered) -> MultiverseRecord:
    created = datetime.now(UTC).isoformat(timespec="seconds")
    if (asked.out / RECORD).is_file():
        created = MultiverseFolder(asked.out).record.created
    models = {name: registry.get(name) for name in asked.defined.models}
    return MultiverseRecord(
        leukbench_version=__version__,
        created=created,
        base=asked.defined.base,
        datasets=dict(sorted(gathered.datasets.items())),
        models={
            name: StoredModel(title=spec.title, family=spec.family) for name, spec in models.items()
        },
        tests=dict(sorted(gathered.tests.items())),
        universes=tuple(gathered.universes),
        trials=dict(sorted(gathered.trials.items())),
        predictions_sha256="",
        environment=describe_environment(stored_speedups()),
    )
