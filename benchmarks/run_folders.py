"""Run folders of any size, made of the committed run's trials."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.clock import MODELS
from benchmarks.process import ROOT
from benchmarks.result import Skipped
from leukbench.protocol import canonical_sha256
from leukbench.runfolder import RunFolder

COMMITTED = ROOT / "results" / "all-pbs-paper"


def copy_run(target: Path, models: int, seeds: int) -> Path:
    """A run folder of so many models and seeds.

    Models are the ten of the paper's protocol, and again under other names where there are more;
    where a model has fewer trials in the committed run, one is repeated under another seed.
    """
    source = RunFolder(COMMITTED)
    finished = {
        name: [r for r in source.records if r.model == name and r.scored and r.fold == 0]
        for name in MODELS
    }
    missing = [name for name, records in finished.items() if not records]
    if missing:
        raise Skipped(f"{COMMITTED.name} has no trial of {missing[0]} yet")
    target.mkdir(parents=True)
    for name in ("run.json", "split.csv", "audit.json"):
        shutil.copy(COMMITTED / name, target / name)
    for number in range(models):
        base = MODELS[number % len(MODELS)]
        again = number // len(MODELS)
        for seed in range(seeds):
            record = finished[base][seed % len(finished[base])]
            _copy_trial(target, record.key, f"{base}_{again}" if again else base, seed)
    return target


def _copy_trial(target: Path, key: str, model: str, seed: int) -> None:
    source = COMMITTED / "trials" / key
    record = json.loads((source / "record.json").read_text(encoding="utf-8"))
    record["identity"] |= {"model": model, "seed": seed}
    record |= {"model": model, "seed": seed, "key": canonical_sha256(record["identity"])}
    if model not in MODELS:
        record["title"] = f"{record['title']} ({model.rpartition('_')[2]})"
    folder = target / "trials" / record["key"]
    shutil.copytree(source, folder)
    (folder / "record.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
