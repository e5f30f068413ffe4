"""The short form of ``python -m tests.fuzz``, and every file that once made a reader crash."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import CORPUS
from tests.fuzz.mutate import mutated
from tests.fuzz.readers import READERS

NAMES = list(READERS)
KEPT = sorted(path.relative_to(CORPUS).as_posix() for path in CORPUS.glob("*/*"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    """Libraries warn of what is wrong with a file; here it is meant to be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", NAMES)
def test_a_good_file_is_read(name: str, folder: Path) -> None:
    reader = READERS[name]
    seeds = reader.seeds()
    read = [reader.accepts(folder, data) for data in seeds]
    assert read[0] and (all(read) or name == "predictions")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_changed_file_is_read_or_refused_in_one_sentence(
    name: str, folder: Path, seed: int
) -> None:
    reader = READERS[name]
    reader.accepts(folder, mutated(random.Random(seed), reader.seeds(), reader.words))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_in_one_sentence(
    name: str, folder: Path, data: bytes
) -> None:
    READERS[name].accepts(folder, data)


@pytest.mark.parametrize("file", KEPT)
def test_what_once_made_a_reader_crash_does_so_no_more(file: str, folder: Path) -> None:
    READERS[file.split("/")[0]].accepts(folder, (CORPUS / file).read_bytes())


def test_the_fuzzer_can_see_a_crash(folder: Path) -> None:
    def crashing(_: Path, data: bytes) -> None:
        raise KeyError(data)

    broken = type(READERS["split"])("split", crashing, lambda: [b"x"])
    with pytest.raises(KeyError):
        broken.accepts(folder, b"x")
