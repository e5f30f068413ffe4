"""Figures, their file, and the table made of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import suite
from benchmarks.__main__ import main, subset
from benchmarks.process import ChildFailed, Settings, alternate, call
from benchmarks.render import render
from benchmarks.result import TARGETS, Line, Outcome, Skipped, Target, exponent
from benchmarks.scaling import lines_of
from benchmarks.spread import Spread, spreads_of
from leukbench.records import Environment

ENVIRONMENT = Environment(
    cpu="A processor",
    cores=2,
    memory_gb=23.5,
    os="Linux",
    python="3.11",
    machine="abc",
    git_commit="0123456789abcdef",
    packages={"keras": "3"},
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path,
        images=tmp_path,
        workspace=tmp_path,
        quick=True,
        repeats=1,
        epochs=1,
        sizes=(1, 2),
        many=1,
    )


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leukbench.machine.describe_environment", lambda: ENVIRONMENT)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.3])
def test_the_exponent_of_a_known_power_law_is_found(power: float) -> None:
    sizes = [400, 1600, 6400, 25600]
    assert math.isclose(exponent(sizes, [3 * n**power for n in sizes]), power, abs_tol=1e-9)


def test_growth_gives_one_exponent_for_time_and_one_for_memory() -> None:
    curve = {n: {"audit": {"seconds": 2.0 * n, "growth_mb": 100.0}} for n in (10, 100, 1000)}
    time, memory = lines_of("images", curve)
    assert math.isclose(time.values[0], 1.0)
    assert math.isclose(memory.values[0], 0.0, abs_tol=1e-9)
    assert "1,000: 2e+03 s" in time.detail


def test_a_target_is_judged_by_the_median() -> None:
    line = Line("fast", (1.0, 2.0, 9.0), "x", Target("at least", 2.0))
    assert line.reached
    assert not Line("slow", (1.0, 1.9, 9.0), "x", Target("at least", 2.0)).reached
    assert Line("small", (300.0,), "MiB", TARGETS["parent memory"]).reached
    assert Line("free", (1.0,), "s").reached is None


def test_an_outcome_comes_back_from_its_json() -> None:
    outcome = Outcome([Line("a", (1.0, 2.0), "s", Target("at most", 3.0), "b")], ("note",))
    assert Outcome.from_json(json.loads(json.dumps(outcome.as_json()))) == outcome


def test_two_sides_are_taken_in_turn() -> None:
    order: list[str] = []
    alternate(lambda: order.append("a"), lambda: order.append("b"), 3)
    assert order == ["a", "b"] * 3


def test_a_child_gives_its_answer_whatever_is_printed_besides() -> None:
    answer = call("json:loads", s='{"value": 3}')
    assert answer["value"] == 3
    assert answer["wall_seconds"] > 0


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(ChildFailed, match="JSONDecodeError"):
        call("json:loads", s="no json")


def _benchmark(monkeypatch: pytest.MonkeyPatch, name: str, outcome: Outcome | Exception) -> None:
    def measure(self: suite.Benchmark, settings: Settings) -> Outcome:
        assert self.name == name
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(suite.Benchmark, "measure", measure)


def _measure(name: str, settings: Settings, out: Path) -> dict[str, object]:
    chosen = [benchmark for benchmark in suite.BENCHMARKS if benchmark.name == name]
    described = {"command": "python -m benchmarks", "quick": True}
    return suite.measure(chosen, settings, out, described=described, say=lambda text: None)


def test_rows_measured_one_after_another_stand_in_one_table(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "results.json"
    line = Line("3256 images | cold", (1.5, 2.0, 2.5), "x", Target("at least", 1.8), "plain 4 s")
    _benchmark(monkeypatch, "preprocessing", Outcome([line], ["Both sides are equal."]))
    _measure("preprocessing", settings, out)
    _benchmark(monkeypatch, "torch", Skipped("no PyTorch: name a Python that has it"))
    _measure("torch", settings, out)
    _benchmark(monkeypatch, "paper", ChildFailed("it ended with exit code 1"))
    _measure("paper", settings, out)

    text = render(suite.read_results(out))
    assert "A processor, 2 cores" in text
    assert "| 3256 images / cold | 2x | 1.5x | 2.5x | at least 1.8 | yes | plain 4 s |" in text
    assert "Both sides are equal." in text
    assert "Skipped: no PyTorch: name a Python that has it." in text
    assert "Failed: it ended with exit code 1." in text


def test_figures_of_two_machines_are_not_mixed(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "results.json"
    _benchmark(monkeypatch, "memory", Outcome([]))
    _measure("memory", settings, out)
    other = ENVIRONMENT.model_copy(update={"machine": "another"})
    monkeypatch.setattr("leukbench.machine.describe_environment", lambda: other)
    with pytest.raises(ValueError, match="another machine"):
        _measure("memory", settings, out)


def test_a_side_that_was_measured_is_not_lost_when_the_other_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    out, measured = tmp_path / "results.json", []
    settings = replace(settings, sides=tmp_path / "sides")

    def side(name: str) -> dict[str, object]:
        measured.append(name)
        if measured.count("plain") == 1 and name == "plain":
            raise ChildFailed("plain ended with exit code -9")
        return {"seconds": 1.0}

    def measure(self: suite.Benchmark, settings: Settings) -> Outcome:
        sides = [
            settings.measure_or_read(name, lambda name=name: side(name))
            for name in ("own", "plain")
        ]
        assert all(one["measured"] and one["seconds"] == 1.0 for one in sides)
        return Outcome([])

    monkeypatch.setattr(suite.Benchmark, "measure", measure)
    assert _measure("paper", settings, out)["rows"]["paper"]["status"] == "failed"
    other = replace(settings, epochs=settings.epochs + 1)
    assert _measure("paper", settings, out)["rows"]["paper"]["status"] == "ok"
    assert measured == ["own", "plain", "plain"]
    _measure("paper", settings, out)  # a row that stands in the table is measured anew
    assert measured == ["own", "plain", "plain", "own", "plain"]
    settings.measure_or_read("own", lambda: side("own"))
    other.measure_or_read("own", lambda: side("own"))  # of other settings
    assert measured[5:] == ["own", "own"]


def test_an_accuracy_is_held_against_the_spread_over_seeds(tmp_path: Path) -> None:
    spread = Spread((0.80, 0.84), 100)
    low, high = spread.interval  # t of one degree of freedom is 12.7
    assert math.isclose(low, 0.82 - 12.706 * 0.0282843 * math.sqrt(1.5) - 0.005, abs_tol=1e-4)
    assert spread.holds(high) and not spread.holds(low - 1e-6)
    same = Spread((0.9, 0.9, 0.9), 100)
    assert same.holds(0.9) and not same.holds(0.91)
    with pytest.raises(ValueError, match="two seeds"):
        _ = Spread((0.9,), 100).interval


def test_the_spread_of_a_run_is_read_from_its_predictions() -> None:
    run = Path(__file__).parents[2] / "results" / "all-pbs-paper"
    spreads = spreads_of(run, ["svm_rbf", "modified_cnn", "ensemble_e1", "unknown"], 652)
    assert len(set(spreads["svm_rbf"].accuracies)) == 1  # no chance in it
    assert len(spreads["modified_cnn"].accuracies) == 5
    assert "unknown" not in spreads
    with pytest.raises(ValueError, match="652 test images, not 600"):
        spreads_of(run, ["svm_rbf"], 600)


def test_every_benchmark_can_be_imported() -> None:
    pytest.importorskip("cv2")
    for benchmark in suite.BENCHMARKS:
        module, _, function = benchmark.target.partition(":")
        assert callable(getattr(__import__(module, fromlist=["_"]), function))


def test_a_subset_keeps_the_classes_in_proportion(tmp_path: Path) -> None:
    for name, number in (("a", 20), ("b", 60)):
        (tmp_path / "all" / name).mkdir(parents=True)
        for index in range(number):
            (tmp_path / "all" / name / f"{index:02d}.png").write_bytes(b"x")
    folder = subset(tmp_path / "all", 40, tmp_path / "some")
    assert [len(list((folder / name).iterdir())) for name in "ab"] == [10, 30]


def test_the_command_line_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "--quick" in told
    assert all(benchmark.name in told for benchmark in suite.BENCHMARKS)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "papre"], "there is no benchmark papre"),
        (["--repeats", "-1"], "--repeats -1 does not fit"),
        (["--render", "missing.json"], "missing.json"),
    ],
)
def test_wrong_usage_is_told_in_one_sentence(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 3
    assert told in capsys.readouterr().err
