"""Trials on a Dask cluster: the same as on this machine, whatever becomes of a worker."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil
import pytest

from leukbench.cli.app import run_command_line
from leukbench.errors import UsageError
from leukbench.models import registry
from leukbench.runfolder import RunFolder
from leukbench.trials.execute import execute
from leukbench.trials.options import RunOptions
from leukbench.trials.prepare import prepare
from tests.conftest import draw_image
from tests.trials.dask_bench import (
    PROTOCOL,
    Bench,
    Diary,
    assert_same_predictions,
    copy_trials,
    install_plugin,
    statuses,
)

pytest.importorskip("distributed", reason="needs leukbench[dask]")

import dask
from distributed import Client, LocalCluster

from leukbench.trials import dask as dask_trials
from leukbench.trials.dask_worker import SharedFile

MakeFolder = Callable[..., Path]
WORKERS = 2


@pytest.fixture(scope="module")
def killers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plug-in of models that kill, installed for this process, its workers and their children."""
    site = tmp_path_factory.mktemp("site")
    install_plugin(site)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(site))
        patch.syspath_prepend(str(site))
        registry._registered.cache_clear()
        yield site
    registry._registered.cache_clear()


@pytest.fixture(scope="module")
def address(killers: Path) -> Iterator[str]:
    """A scheduler with two worker processes on loopback."""
    patience = {"distributed.deploy.lost-worker-timeout": "1 day"}
    with dask.config.set(patience), LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, processes=True, memory_limit=0,
        dashboard_address="127.0.0.1:0",
    ) as cluster:  # fmt: skip
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder of images, which all tests run."""
    generator = np.random.default_rng(5)
    root = tmp_path_factory.mktemp("images") / "smears"
    for label, level in (("Benign", 40), ("Early", 125), ("Pro", 210)):
        (root / label).mkdir(parents=True)
        for index in range(12):
            cv2.imwrite(str(root / label / f"{index}.png"), draw_image(generator, level, 40, 40))
    return root


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leukbench.report.write_report", lambda folder: None)


@pytest.fixture
def bench(images: Path, tmp_path: Path) -> Bench:
    return Bench(images, tmp_path)


@pytest.fixture(scope="module")
def local_run(images: Path, killers: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Trials of this machine that those on Dask workers are compared with."""
    bench = Bench(images, tmp_path_factory.mktemp("local"))
    marker = killers / "killed"
    marker.write_text("here nobody is killed", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leukbench.report.write_report", lambda folder: None)
        bench.run("run", seeds=(0, 1))
        run = bench.run("run", models=("random_forest", "modified_cnn", "kills_once"))
    marker.unlink()
    return run


@pytest.mark.slow
def test_predictions_are_those_of_this_machine(
    bench: Bench, address: str, local_run: RunFolder, tmp_path: Path
) -> None:
    models = ("naive_bayes", "random_forest", "modified_cnn")
    here = copy_trials(local_run, tmp_path / "here", models)
    there = bench.run("there", models=models, backend="dask", scheduler=address)
    assert len(there.records) == 3
    assert bench.diary.starts == bench.diary.ends == Counter(models)
    assert bench.diary.epochs == {"modified_cnn": 2}
    assert_same_predictions(here, there)
    for one, other in zip(here.records, there.records, strict=True):
        assert one.identity == other.identity
        assert (one.status, one.threads, one.precision) == (
            other.status, other.threads, other.precision,
        )  # fmt: skip
        assert one.machine == other.machine, "the workers are on this machine"
        assert one.files.keys() == other.files.keys()
        curve = here.history(one)
        if curve is not None:
            pd.testing.assert_frame_equal(curve, there.history(other), check_exact=True)


def test_it_resumes_from_what_was_stored(
    bench: Bench, address: str, local_run: RunFolder, tmp_path: Path
) -> None:
    copy_trials(local_run, tmp_path / "run", PROTOCOL.models)
    run = bench.run("run", seeds=(0, 1), backend="dask", scheduler=address)
    assert bench.diary.to_run == 2
    assert bench.diary.starts == {"naive_bayes": 1, "decision_tree": 1}
    assert len(run.records) == 4


@pytest.mark.slow
def test_trials_of_a_killed_worker_are_run_elsewhere(
    bench: Bench, address: str, local_run: RunFolder, killers: Path, tmp_path: Path
) -> None:
    models = ("kills_once", "naive_bayes")
    marker = killers / "killed"
    here = copy_trials(local_run, tmp_path / "here", models)
    with Client(address) as client:
        before = client.run(os.getpid).values()
        there = bench.run("there", models=models, backend="dask", scheduler=address)
    assert int(marker.read_text(encoding="utf-8")) in before, "a worker was killed"
    assert bench.diary.starts["kills_once"] == 2
    assert set(statuses(there).values()) == {"ok"}
    assert_same_predictions(here, there)


@pytest.mark.slow
def test_a_trial_that_always_kills_its_worker_fails_and_stops_no_other(
    bench: Bench, address: str
) -> None:
    models = ("kills_always", "naive_bayes", "decision_tree")
    run = bench.run("run", models=models, backend="dask", scheduler=address)
    assert statuses(run) == {"kills_always": "failed", "naive_bayes": "ok", "decision_tree": "ok"}
    (killer,) = (record for record in run.records if record.model == "kills_always")
    assert "worker was lost each time" in killer.reason
    assert bench.diary.starts["kills_always"] == dask_trials.STARTS


def test_a_timeout_ends_the_child_and_not_the_worker(bench: Bench, address: str) -> None:
    there = {"backend": "dask", "scheduler": address}
    with Client(address) as client:
        before = client.run(os.getpid)
        bench.run("run", models=("kills_sleeps",), timeout=2.0, **there)
        run = bench.run("run", models=("naive_bayes",), **there)
        assert client.run(os.getpid).items() >= before.items()
    assert statuses(run) == {"kills_sleeps": "timeout", "naive_bayes": "ok"}


@contextmanager
def blinded(address: str, *, wholly: bool = False) -> Iterator[None]:
    """Workers that do not see the parent's files; nor, `wholly`, what they are sent."""

    def blind(wholly: bool) -> None:
        from leukbench.trials import dask_worker

        keep = dask_worker.sees

        def sees(path: Path, file: SharedFile) -> bool:
            return not wholly and path != file.path and keep(path, file)

        dask_worker.sees, dask_worker.healthy = sees, keep  # type: ignore[attr-defined]

    def heal() -> None:
        from leukbench.trials import dask_worker

        dask_worker.sees = dask_worker.healthy  # type: ignore[attr-defined]

    with Client(address) as client:
        client.wait_for_workers(WORKERS)  # one that was killed before may still be starting
        client.run(blind, wholly)
        try:
            yield
        finally:
            client.run(heal)


def test_arrays_reach_a_worker_without_the_folder_once(
    bench: Bench,
    address: str,
    local_run: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[tuple[str, str]] = []
    send = dask_trials.send_file

    def counted(client: Client, file: SharedFile, run: str, worker: str) -> None:
        sent.append((file.path.name, worker))
        send(client, file, run, worker)

    monkeypatch.setattr(dask_trials, "send_file", counted)
    monkeypatch.setattr(dask_trials, "PIECE", 10_000)
    here = copy_trials(local_run, tmp_path / "here", PROTOCOL.models, seeds=(0, 1))
    with blinded(address):
        there = bench.run("there", seeds=(0, 1), backend="dask", scheduler=address)
    assert len(there.records) == 4
    workers = {worker for _, worker in sent}
    assert len(sent) == len(set(sent)) == 2 * len(workers), "the images and the fold, once each"
    assert_same_predictions(here, there)


def test_a_file_of_weights_reaches_the_workers_too(
    bench: Bench, address: str, tmp_path: Path
) -> None:
    weights = tmp_path / "own.weights.h5"
    weights.write_text("weights", encoding="utf-8")
    options = RunOptions(
        protocol=PROTOCOL, data=bench.data, out=tmp_path / "run", models=("kills_reads",),
        backend="dask", scheduler=address, threads=1,
    )  # fmt: skip
    ready = prepare(options)
    (plan,) = ready.plans
    plan = replace(plan, parameters={**plan.parameters, "weights": str(weights)})
    with blinded(address):
        run = execute(replace(ready, plans=[plan]), Diary())
    assert statuses(run) == {"kills_reads": "ok"}, run.records[0].reason


def test_with_the_folder_in_sight_nothing_is_sent(
    bench: Bench, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    monkeypatch.setattr(dask_trials, "send_file", lambda *arguments: sent.append(arguments))
    bench.run("run", backend="dask", scheduler=address)
    assert bench.diary.ends.total() == 2
    assert not sent


def test_a_file_that_arrives_damaged_fails_the_trial_with_a_reason(
    bench: Bench, address: str
) -> None:
    with blinded(address, wholly=True):
        run = bench.run("run", models=("naive_bayes",), backend="dask", scheduler=address)
    assert statuses(run) == {"naive_bayes": "failed"}
    assert "arrived damaged" in run.records[0].reason


def test_a_worker_of_another_version_is_refused(
    bench: Bench, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(dask_trials, "__version__", "99.0")
        with pytest.raises(UsageError, match=r"has leukbench .*, this is 99\.0: install the same"):
            bench.run("run", backend="dask", scheduler=address)
    # one that joins later is found out by the trial
    monkeypatch.setattr(dask_trials, "__version__", "99.0")
    monkeypatch.setattr(dask_trials, "_require_workers", lambda client, scheduler: None)
    run = bench.run("run", backend="dask", scheduler=address)
    assert set(statuses(run).values()) == {"failed"}
    assert all("install the same version" in record.reason for record in run.records)


def test_what_does_not_fit_is_one_sentence(
    make_folder: MakeFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(dask_trials, "CONNECT_SECONDS", 1.0)
    command = ["run-all", "--data", str(make_folder())]

    def said(*more: str) -> str:
        assert run_command_line([*command, *more]) == 3
        error = capsys.readouterr().err
        assert error.count("\n") == 1, error
        return error

    chosen = ("--backend", "dask")
    assert "did you mean dask" in said("--backend", "desk")
    assert "add --backend dask" in said("--scheduler", "tcp://127.0.0.1:8786")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        deaf = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        for address in ("tcp://127.0.0.1:9", deaf, "nonsense://x", "127.0.0.1:no"):
            found = said(*chosen, "--scheduler", address)
            assert f"--scheduler {address} cannot be reached" in found
            assert "'dask scheduler'" in found
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install 'leukbench[dask]'" in said(*chosen)


def test_a_scheduler_without_workers_is_one_sentence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_trials, "WORKER_SECONDS", 1.0)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(UsageError, match="has no worker after 1 s: start some with 'dask worker"),
    ):
        bench.run("run", backend="dask", scheduler=empty.scheduler_address)


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_one_sentence(
    bench: Bench, killers: Path, tmp_path: Path
) -> None:
    address_file = tmp_path / "scheduler.json"
    known = ["--scheduler-file", str(address_file)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask_command = [sys.executable, "-m", "dask"]
    scheduler = subprocess.Popen(
        [*dask_command, "scheduler", *known, "--port", "0", "--dashboard-address", "127.0.0.1:0"],
        **quiet,
    )
    worker = subprocess.Popen(
        [*dask_command, "worker", *known, "--nthreads", "1", "--no-dashboard", "--no-nanny"],
        **quiet,
    )
    try:
        while not address_file.is_file():
            time.sleep(0.1)
        address = json.loads(address_file.read_text(encoding="utf-8"))["address"]
        bench.on_start = scheduler.kill
        with pytest.raises(UsageError, match="lost its scheduler: start it, and run the same"):
            bench.run("run", models=("kills_sleeps",), backend="dask", scheduler=address)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()


def test_dask_is_imported_only_when_it_is_chosen(bench: Bench) -> None:
    code = (
        "import sys\nfrom leukbench.cli.app import run_command_line\n"
        f"run_command_line(['run-all', '--data', {str(bench.data)!r}, "
        "'--models', 'svm_rbf', '--dry-run'])\n"
        "print({'dask', 'distributed'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False], ids=["own workers", "workers of others"])
def test_an_interrupt_ends_the_children_and_keeps_what_was_finished(
    bench: Bench, address: str, tmp_path: Path, own: bool
) -> None:
    out, toml = tmp_path / "out", tmp_path / "small.toml"
    toml.write_text(
        'name = "small"\n[audit]\nprobes = false\nallow_duplicates_across_split = true\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "leukbench", "run-all", "--data", str(bench.data)]
    command += ["--protocol", str(toml), "--models", "kills_sleeps,naive_bayes", "--jobs", "2"]
    command += ["--out", str(out), "--backend", "dask"]
    command += [] if own else ["--scheduler", address]
    with Client(address) as client:
        client.wait_for_workers(WORKERS)
        workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("ok "):
                break
        parents = [psutil.Process(process.pid)] if own else workers
        children = [child for parent in parents for child in parent.children(recursive=True)]
        assert children
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to workers of its own too
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130, rest
    assert rest.splitlines() == [
        "leukbench: interrupted; what was finished is kept: the same command again goes on."
    ]
    assert psutil.wait_procs(children, timeout=20)[1] == []
    assert all(worker.is_running() for worker in workers)
    assert statuses(RunFolder(out)) == {"naive_bayes": "ok"}
