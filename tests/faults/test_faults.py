"""The short form of ``python -m tests.faults``: each kind of fault once, and files that are damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from leukbench.checks.verify import verify_run
from leukbench.cli.app import run_command_line
from leukbench.errors import LeukbenchError
from leukbench.files import atomic_path, remove_unfinished
from tests.faults import disk
from tests.faults.blows import at_step, endure, interrupt, of_children, read_only
from tests.faults.site import Site, check_same

SEEDS = 30


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site.make(tmp_path_factory.mktemp("faults"), SEEDS)


@pytest.fixture(scope="module")
def undisturbed(site: Site) -> Path:
    return site.whole_run()


def test_kills_an_interrupt_and_a_closed_folder_lose_nothing(site: Site, undisturbed: Path) -> None:
    blows = [interrupt(2), read_only(), at_step(20), of_children(0, 1), at_step(25)]
    hits = endure(site, undisturbed, blows, "short")
    assert hits["run killed at a step of writing"] == 2
    assert hits.total() >= 4


@pytest.mark.skipif(not disk.possible(), reason="this system mounts no file system for a test")
def test_a_full_disk_is_one_sentence_and_loses_nothing(site: Site, undisturbed: Path) -> None:
    assert disk.fill(site, undisturbed, 64)


def test_tables_are_made_again_where_a_run_with_new_trials_was_killed_in_its_report(
    site: Site, undisturbed: Path, tmp_path: Path
) -> None:
    """The old report is there, and nothing waits: still the tables are not those of all trials."""
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)
    (out / ".work").mkdir()
    for name in ("comparison.csv", "comparison.md"):
        (out / name).write_text("old\n")
    (out / ".work" / "report-due.txt").write_text("")
    run = site.start(out)
    assert run.wait() == 0, run.text
    check_same(out, undisturbed)
    assert not (out / ".work").exists()


def damaged(content: bytes, how: str) -> bytes:
    if how == "halved":
        return content[: len(content) // 2]
    return b"" if how == "emptied" else bytes([*content[:-20], content[-20] ^ 1, *content[-19:]])


def test_damage_is_found_and_a_run_mends_it(
    site: Site, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out, ignore=shutil.ignore_patterns("figures"))
    trials = sorted((out / "trials").iterdir())
    names = ["split.csv", "audit.json", "comparison.csv"]
    names += [str(folder / "predictions.parquet") for folder in trials[:3]]
    names += [str(folder / "record.json") for folder in trials[3:6]]
    for number, name in enumerate(names):
        whole = (out / name).read_bytes()
        for how in ("changed", "emptied", "halved"):
            (out / name).write_bytes(damaged(whole, how))
            assert verify_run(out), f"{name} {how}: nobody noticed"
        (out / name).write_bytes(damaged(whole, ("changed", "emptied", "halved")[number % 3]))
    (out / "run.json").unlink()  # as one asks for that is empty
    for key, value in site.environment.items():
        monkeypatch.setenv(key, value)
    assert run_command_line(site.command(out)) == 0
    check_same(out, undisturbed)


@pytest.mark.parametrize("how", ["halved", "emptied"])
@pytest.mark.parametrize("command", ["run-all", "report", "verify", "status"])
def test_a_run_whose_description_is_damaged_is_refused_in_one_sentence(
    site: Site, undisturbed: Path, tmp_path: Path, how: str, command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out, ignore=shutil.ignore_patterns("figures"))
    file = out / "run.json"
    file.write_bytes(damaged(file.read_bytes(), how))
    words = site.command(out) if command == "run-all" else [command, str(out)]
    code = run_command_line(words)
    told = capsys.readouterr()
    assert code == (0 if command == "status" else 1 if command == "verify" else 3), told
    if code == 3:
        assert "run.json" in told.err.splitlines()[-1]
        assert "Traceback" not in told.err
    assert len(list(out.glob("trials/*/record.json"))) == SEEDS


def test_only_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    kept = [".gitignore", ".gitattributes", ".run.json.swp", "run.json", ".a.json.abcdefgh.csv"]
    (tmp_path / "figures").mkdir()
    for name in kept:
        (tmp_path / name).touch()
    with (
        pytest.raises(LeukbenchError),
        atomic_path(tmp_path / "run.json") as one,
        atomic_path(tmp_path / "figures" / "x.svg") as two,
    ):
        for temporary in (one, two):
            assert temporary.exists()
        remove_unfinished(tmp_path)
        for temporary in (one, two):
            assert not temporary.exists()
        raise LeukbenchError("over")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*kept, "figures"])


def test_a_run_of_which_nothing_is_half_says_so(undisturbed: Path) -> None:
    assert json.loads((undisturbed / "run.json").read_bytes())["schema_version"] == 1
    assert verify_run(undisturbed) == []
