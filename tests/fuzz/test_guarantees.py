"""The page of guarantees names what the code has."""

from __future__ import annotations

from leukbench.data.header import MAX_BYTES, MAX_PIXELS
from leukbench.data.npz import MOST_UNPACKED
from leukbench.errors import LONGEST, DataError
from tests.docs.pages import DOCS
from tests.fuzz.readers import READERS


def test_limits_and_readers_on_the_page_are_those_of_the_code() -> None:
    page = " ".join((DOCS / "explanation" / "guarantees.md").read_text(encoding="utf-8").split())
    assert f"at most {MAX_PIXELS // 10**6} million pixels and {MAX_BYTES >> 30} GiB" in page
    assert f"unpack to {MOST_UNPACKED} times" in page
    assert f"at most {LONGEST:,} characters" in page
    assert f"for {({15: 'fifteen'})[len(READERS)]} readers" in page


def test_a_sentence_is_short_and_keeps_its_mend() -> None:
    sentence = str(DataError("x" * 9999 + ": mend it."))
    assert len(sentence) <= LONGEST and sentence.endswith("x: mend it.")
