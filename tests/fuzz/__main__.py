"""The long form: ``python -m tests.fuzz --runs 100000`` for each reader; ``--atheris`` goes by coverage.

What makes a reader crash is left in ``tests/fuzz/corpus/``, from where the tests read it ever after.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import random
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
SLOW_SECONDS = 10.0


def keep(name: str, data: bytes) -> Path:
    """Leave what made a reader crash."""
    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def plain(name: str, runs: int, seed: int, folder: Path) -> int:
    """Random changes of good files; gives the number of crashes."""
    from tests.fuzz.mutate import mutated
    from tests.fuzz.readers import READERS

    reader, luck, crashes, accepted = READERS[name], random.Random(f"{name} {seed}"), 0, 0
    seeds = reader.seeds()
    begun = time.monotonic()
    for _ in range(runs):
        data = mutated(luck, seeds, reader.words)
        (folder / "last").write_bytes(data)  # what made the interpreter itself crash
        started = time.monotonic()
        try:
            accepted += reader.accepts(folder, data)
        except Exception:
            crashes += 1
            print(
                f"CRASH {name}: {keep(name, data)}\n{traceback.format_exc(limit=-4)}",
                file=sys.stderr,
            )
        if time.monotonic() - started > SLOW_SECONDS:
            print(f"SLOW {name}: {keep(name, data)}", file=sys.stderr)
    spent = time.monotonic() - begun
    print(
        f"{name:16} {runs:8} runs {accepted:8} accepted {crashes:4} crashes {spent:6.0f} s",
        flush=True,
    )
    return crashes


def guided(name: str, runs: int, seed: int, folder: Path) -> None:
    """The same, where new branches of leukbench lead; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["leukbench"]):
        from tests.fuzz.readers import READERS
    reader = READERS[name]
    good = folder / "good"
    good.mkdir()
    for number, data in enumerate(reader.seeds()):
        (good / str(number)).write_bytes(data)

    def one(data: bytes) -> None:
        try:
            reader.accepts(folder, data)
        except Exception:
            print(f"CRASH {name}: {keep(name, data)}", file=sys.stderr)
            raise

    options = [f"-runs={runs}", f"-seed={seed + 1}", "-max_len=20000"]
    options += ["-verbosity=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(good)], one)
    atheris.Fuzz()


def main() -> int:
    """Fuzz all readers, or one."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="of each reader")
    parser.add_argument("--reader", help="one reader (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="guided by coverage; needs --reader")
    given = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="leukbench-fuzz-") as name:
        folder = Path(name)
        if given.atheris:
            guided(
                given.reader or parser.error("--atheris needs --reader"),
                given.runs,
                given.seed,
                folder,
            )
        from tests.fuzz.readers import READERS

        names = [given.reader] if given.reader else list(READERS)
        crashes = sum(plain(one, given.runs, given.seed, folder) for one in names)
    print(f"{len(names) * given.runs} runs, {crashes} crashes.")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
