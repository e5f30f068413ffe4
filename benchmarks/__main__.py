"""``python -m benchmarks``: measure, print the table, write the results."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.process import Settings
from benchmarks.render import render
from benchmarks.suite import BENCHMARKS, measure, read_results, report_progress
from leukbench.errors import LeukbenchError

PAPER_EPOCHS = 30
QUICK_IMAGES = 240
QUICK_SIZES, SIZES = "100,200,400", "400,1600,6400,25600,100000"
QUICK_MANY, MANY = 2000, 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what the command line asks for; 1 where a benchmark failed, 3 where it is wrong."""
    given = _parser().parse_args(arguments)
    try:
        if given.render:
            print(render(read_results(given.render)), end="")
            return 0
        with tempfile.TemporaryDirectory(prefix="leukbench-benchmarks-") as workspace:
            results = _measure(given, Path(workspace))
    except (OSError, ValueError, LeukbenchError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 3
    print(render(results), end="")
    return int(any(row["status"] == "failed" for row in results["rows"].values()))


def _parser() -> argparse.ArgumentParser:
    names = ", ".join(f"{b.name} ({b.minutes[1]:g} min)" for b in BENCHMARKS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure leukbench against what a user would write or run instead.",
        epilog=f"Benchmarks, with rough durations on two idle cores: {names}.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="the shape of the table in under ten minutes")
    add("--full", action="store_true", help="30 epochs in the comparison with the plain script")
    add(
        "--data",
        type=Path,
        help="folder with one sub-folder a class; all-pbs below LEUKBENCH_DATA by default, else "
        "synthetic smears",
    )
    add("--only", help="some benchmarks, with commas between")
    add("--repeats", type=int, help="how often each side is measured (3; quick 1)")
    add("--epochs", type=int, help="epochs in the comparison with the plain script (2; full 30)")
    add("--images", type=int, help=f"so many images instead of all (quick {QUICK_IMAGES})")
    add("--models", help="some models, in every benchmark that measures several")
    add("--sizes", help=f"numbers of images at which growth is measured ({SIZES})")
    add("--many", type=int, help=f"images at which the parent's memory is measured ({MANY})")
    add("--torch-python", type=Path, help="a Python that has PyTorch, for the rows against it")
    add(
        "--seeds-from",
        type=Path,
        metavar="RUN",
        help="run folder with several seeds, against which --full holds the plain script's accuracies",
    )
    add("--out", type=Path, default=Path("benchmarks.json"), help="file of results")
    add("--render", type=Path, metavar="FILE", help="print a file of results as Markdown and stop")
    return parser


def _measure(given: argparse.Namespace, workspace: Path) -> dict[str, object]:
    by_name = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    names = given.only.split(",") if given.only else list(by_name)
    missing = [name for name in names if name not in by_name]
    if missing:
        raise ValueError(f"there is no benchmark {missing[0]}: take some of {', '.join(by_name)}")
    for option in ("repeats", "epochs", "images", "many"):
        value = getattr(given, option)
        if value is not None and value < 1:
            raise ValueError(f"--{option} {value} does not fit: take a whole number from 1")
    os.environ["LEUKBENCH_CACHE"] = str(workspace / "cache")
    data, synthetic = _data(given.data, workspace)
    fewer = given.images or (QUICK_IMAGES if given.quick else None)
    settings = Settings(
        data=data,
        images=data if fewer is None else subset(data, fewer, workspace / "subset"),
        workspace=workspace,
        quick=given.quick,
        repeats=given.repeats or (1 if given.quick else 3),
        epochs=given.epochs or (PAPER_EPOCHS if given.full else 2),
        sizes=tuple(
            int(size)
            for size in (given.sizes or (QUICK_SIZES if given.quick else SIZES)).split(",")
        ),
        many=given.many or (QUICK_MANY if given.quick else MANY),
        torch_python=given.torch_python and given.torch_python.absolute(),
        models=tuple(given.models.split(",")) if given.models else (),
        fewer=given.images,
        seeds_from=given.seeds_from,
        sides=given.out.with_name(f"{given.out.stem}-sides"),
    )
    described = {
        "command": _command(),
        "quick": given.quick,
        "synthetic": synthetic,
        "repeats": settings.repeats,
        "epochs": settings.epochs,
        "images": fewer,
        "models": list(settings.models),
        "sizes": list(settings.sizes),
        "many": settings.many,
    }
    chosen = [by_name[name] for name in names]
    return measure(chosen, settings, given.out, described=described, say=report_progress)


def _command() -> str:
    """What was typed, with paths shortened to their last name."""
    parts = [Path(part).name if "/" in part else part for part in sys.argv[1:]]
    return shlex.join(["python", "-m", "benchmarks", *parts])


def _data(chosen: Path | None, workspace: Path) -> tuple[Path, bool]:
    """The folder of class folders, and whether its images are rendered."""
    from leukbench.data.folder import find_root

    named = os.environ.get("LEUKBENCH_DATA")
    if chosen is None and named and (Path(named) / "all-pbs").is_dir():
        chosen = Path(named) / "all-pbs"
    if chosen is not None:
        return find_root(chosen.resolve()), False
    from leukbench.data.synthetic import SyntheticConfig, write_dataset

    folder = workspace / "synthetic"
    write_dataset(folder, SyntheticConfig(images_per_class=120), jobs=-1)
    return folder, True


def subset(data: Path, images: int, target: Path) -> Path:
    """A folder of links to some images of every class, in the classes' proportions.

    Parameters
    ----------
    data : Path
        Folder of class folders.
    images : int
        How many in all, up to rounding; at least four of every class.
    target : Path
        Folder to make.
    """
    classes = {
        folder.name: sorted(path for path in folder.iterdir() if path.is_file())
        for folder in sorted(data.iterdir())
        if folder.is_dir()
    }
    total = sum(len(files) for files in classes.values())
    for name, files in classes.items():
        (target / name).mkdir(parents=True)
        for path in files[: max(4, round(images * len(files) / total))]:
            (target / name / path.name).symlink_to(path)
    return target


if __name__ == "__main__":
    sys.exit(main())
