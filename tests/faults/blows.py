"""What happens to a run: it, its child or a Dask worker is killed; Ctrl-C; a folder closed to it."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.site import Run, Site, check_after, check_same, signalled

INTERRUPTED = "leukbench: interrupted; what was finished is kept: the same command again goes on."


@dataclass
class Blow:
    """One fault of one run; `hits` says how often it hit."""

    name: str
    luck: random.Random
    most: int = 1
    hits: int = 0
    step: int | None = None
    more: tuple[str, ...] = ()
    codes: tuple[int, ...] = (-signal.SIGKILL,)
    family: list[psutil.Process] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)

    def strike(self, run: Run) -> None:
        """Do it while the run is under way."""

    def follow(self, run: Run, code: int) -> None:
        """Count, and check what the run said."""
        self.hits += code != 0


class AtStep(Blow):
    """The run kills itself at a step, as `tests.faults.site` counts them."""


class AtMoment(Blow):
    """The process of the run is killed: any time from its start, or between two of its trials."""

    def strike(self, run: Run) -> None:
        """Wait, and kill."""
        if self.luck.random() < 0.3:
            time.sleep(self.luck.uniform(0, 4.0))
        else:
            run.wait_for("ok ", self.luck.randrange(1, 25))
            time.sleep(self.luck.uniform(0, 0.05))
        signalled(run.pid, signal.SIGKILL)


class OfChildren(Blow):
    """The child process of the trial under way is killed, some times in one run."""

    words = "leukbench.trials.child"

    def strike(self, run: Run) -> None:
        """Kill each child soon after it came."""
        killed = set[int]()
        while not run.ended:
            for child in run.processes(self.words) if self.hits < self.most else ():
                if child.pid not in killed:
                    time.sleep(self.luck.uniform(0, 3.0))
                    signalled(child.pid, signal.SIGKILL)
                    killed.add(child.pid)
                    self.hits += 1
            time.sleep(0.02)

    def follow(self, run: Run, code: int) -> None:
        """The trials of killed children are told as failed; the run went on."""


class OfDaskWorkers(OfChildren):
    """A worker process of a Dask cluster on this machine is killed; Dask starts another."""

    words = "multiprocessing.spawn"

    def strike(self, run: Run) -> None:
        """Wait for the cluster first."""
        run.wait_for("start ")
        super().strike(run)


class Interrupt(Blow):
    """Ctrl-C, so many times, between two trials."""

    def strike(self, run: Run) -> None:
        """Press the keys, unless nothing is left to interrupt."""
        if not run.wait_for("ok "):
            return
        self.family = psutil.Process(run.pid).children(recursive=True)
        for _ in range(self.most):
            signalled(run.pid, signal.SIGINT)
            time.sleep(0.05)

    def follow(self, run: Run, code: int) -> None:
        """One sentence, which says how to go on, and no process is left."""
        super().follow(run, code)
        if code:
            assert run.text.splitlines()[-1] == INTERRUPTED, run.text
        assert psutil.wait_procs(self.family, timeout=20)[1] == []


class ReadOnly(Blow):
    """The run folder may not be written any more, from between two trials on."""

    def strike(self, run: Run) -> None:
        """Take the right away, unless nothing is left to write."""
        if not run.wait_for("ok "):
            return
        self.closed = [run.out, *(path for path in run.out.rglob("*") if path.is_dir())]
        for folder in self.closed:
            with suppress(FileNotFoundError):
                folder.chmod(0o555)

    def follow(self, run: Run, code: int) -> None:
        """One sentence that names the folder; and give the right back."""
        super().follow(run, code)
        for folder in self.closed:
            with suppress(FileNotFoundError):
                folder.chmod(0o755)
        last = run.text.splitlines()[-1]
        assert not code or (str(run.out) in last and "Permission denied" in last), run.text


def at_step(step: int) -> Blow:
    return AtStep("run killed at a step of writing", random.Random(step), step=step)


def at_moment(seed: int) -> Blow:
    return AtMoment("run killed at a random moment", random.Random(seed))


def of_children(seed: int, most: int) -> Blow:
    return OfChildren("process of a trial killed", random.Random(seed), most, codes=(2,))


def of_dask_workers(seed: int, most: int) -> Blow:
    more = ("--backend", "dask")
    luck = random.Random(seed)
    return OfDaskWorkers("Dask worker killed", luck, most, more=more, codes=(2,))


def interrupt(times: int) -> Blow:
    name = "Ctrl-C" if times == 1 else "Ctrl-C twice"
    return Interrupt(name, random.Random(times), times, codes=(130,))


def read_only() -> Blow:
    return ReadOnly("folder read-only in mid-run", random.Random(0), codes=(3,))


def endure(
    site: Site, undisturbed: Path, blows: Iterable[Blow], name: str, source: Path | None = None
) -> Counter[str]:
    """Run into one folder, each run with the next blow, and compare whenever one gets to its end.

    Gives how often what hit. After the last blow the run is finished in peace.
    """
    hits: Counter[str] = Counter()
    waiting, code, out = iter(blows), 0, site.folder / name
    while True:
        if code == 0:
            shutil.rmtree(out, ignore_errors=True)
            if source is not None:
                shutil.copytree(source, out)
            before = set[str]() if source is None else check_after(out, set())
        blow = next(waiting, None)
        run = site.start(out, *(blow.more if blow else ()), step=blow.step if blow else None)
        if blow:
            blow.strike(run)
        code = run.wait()
        assert code in (0, *(blow.codes if blow else ())), f"{blow}, {code}: {run.text}"
        if blow:
            blow.follow(run, code)
            hits[blow.name] += blow.hits
        before = check_after(out, before, run.text)
        if code == 0:
            check_same(out, undisturbed)
            if blow is None:
                return hits


def two_at_once(site: Site, undisturbed: Path) -> None:
    """Two runs into one folder: one is refused in one sentence, the other is as if alone."""
    out = site.folder / "two-at-once"
    runs = [site.start(out), site.start(out)]
    codes = [run.wait() for run in runs]
    assert sorted(codes) == [0, 3], [run.text for run in runs]
    refused = runs[codes.index(3)].text.splitlines()[-1]
    assert "is being written by another leukbench" in refused
    check_same(out, undisturbed)
