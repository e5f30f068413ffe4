"""What the tests of the Dask backend share: models that kill, a diary of a run, a folder to run."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from leukbench.protocol import Protocol
from leukbench.records import Epoch, TrialRecord
from leukbench.runfolder import RunFolder
from leukbench.trials.execute import execute
from leukbench.trials.options import RunOptions
from leukbench.trials.plan import TrialPlan
from leukbench.trials.prepare import prepare

PLUGIN = '''
"""Models that take the Dask worker down, whose child process they run in."""
import time
from pathlib import Path
import psutil
from sklearn.naive_bayes import GaussianNB
from leukbench.models.registry import ModelSpec


class Killer(GaussianNB):
    def __init__(self, mode="always", random_state=None, weights=None):
        super().__init__()
        self.mode = mode
        self.weights = weights
        self.random_state = random_state

    def fit(self, X, y):
        marker = Path(__file__).with_name("killed")
        if self.mode == "always" or (self.mode == "once" and not marker.exists()):
            worker = psutil.Process().parent()
            assert "multiprocessing" in " ".join(worker.cmdline()), worker
            marker.write_text(str(worker.pid))
            worker.kill()
            time.sleep(60)
        if self.mode == "reads":
            assert self.weights.endswith("own.weights.h5")
            assert Path(self.weights).read_text() == "weights"
            assert "dask-scratch-space" in self.weights
        if self.mode == "sleeps":
            time.sleep(120)
        return super().fit(X.reshape(len(X), -1), y)

    def predict_proba(self, X):
        return super().predict_proba(X.reshape(len(X), -1))


def make(mode):
    return lambda **parameters: Killer(mode=mode, **parameters)


MODES = ("always", "once", "sleeps", "reads")
globals().update({f"make_{mode}": make(mode) for mode in MODES})
SPECS = tuple(
    ModelSpec(
        name=f"kills_{mode}", title=f"Kills ({mode})", family="classical",
        target=f"leukbench_killers:make_{mode}", reference="none", framework="sklearn",
        recipe="naive Bayes on pixels",
    )
    for mode in MODES
)
'''


PROTOCOL = Protocol.model_validate(
    {
        "name": "small",
        "models": ("naive_bayes", "decision_tree"),
        "preprocessing": {"size": 32, "median_kernel": 3},
        "split": {"policy": "stratified", "test_fraction": 0.25},
        "training": {"epochs": 2, "batch_size": 8, "precision": "float32"},
        "audit": {"probes": False, "allow_duplicates_across_split": True},
    }
)


class Diary:
    """A reporter that writes down what it is told, by model, and sees that the order is right."""

    def __init__(self) -> None:
        self.starts: Counter[str] = Counter()
        self.epochs: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.on_start: Callable[[], None] = lambda: None
        self._running: set[str] = set()
        self._over: set[str] = set()

    def waiting(self, number: int, total: int) -> None:
        self.to_run = number

    def started(self, plan: TrialPlan) -> None:
        assert plan.key not in self._over
        self._running.add(plan.key)
        self.starts[plan.model] += 1
        self.on_start()

    def epoch(self, plan: TrialPlan, epoch: Epoch) -> None:
        assert plan.key in self._running
        assert epoch.epochs == 2
        self.epochs[plan.model] += 1

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        self._running.remove(plan.key)
        self._over.add(plan.key)
        self.ends[plan.model] += 1


class Bench:
    """Runs one folder of images, one core a trial, without tables and figures."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data = data
        self.folder = folder
        self.diary = Diary()
        self.on_start: Callable[[], None] = lambda: None

    def run(self, name: str, **options: Any) -> RunFolder:
        chosen = RunOptions(
            protocol=PROTOCOL, data=self.data, out=self.folder / name, **({"threads": 1} | options)
        )
        self.diary = Diary()
        self.diary.on_start = self.on_start
        return execute(prepare(chosen), self.diary)


def install_plugin(site: Path) -> None:
    """Make a folder of packages hold the models that kill."""
    facts = site / "leukbench_killers-1.0.dist-info"
    facts.mkdir()
    (site / "leukbench_killers.py").write_text(PLUGIN, encoding="utf-8")
    (facts / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: leukbench-killers\nVersion: 1.0\n", encoding="utf-8"
    )
    (facts / "entry_points.txt").write_text(
        "[leukbench.models]\nkillers = leukbench_killers\n", encoding="utf-8"
    )


def copy_trials(
    run: RunFolder, target: Path, models: Sequence[str], seeds: Sequence[int] = (0,)
) -> RunFolder:
    """A run folder of some trials of another."""
    shutil.copytree(run.path, target)
    for record in run.records:
        if record.model not in models or record.seed not in seeds:
            shutil.rmtree(target / "trials" / record.key)
    return RunFolder(target)


def statuses(run: RunFolder) -> dict[str, str]:
    return {record.model: record.status for record in run.records}


def assert_same_predictions(one: RunFolder, other: RunFolder) -> None:
    assert [record.key for record in one.records] == [record.key for record in other.records]
    for record in one.records:
        pd.testing.assert_frame_equal(
            one.predictions(record), other.predictions(record), check_exact=True
        )
