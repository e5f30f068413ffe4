"""CONTRIBUTING.md: the examples that it shows are those that the tests run."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT

QUOTED = re.compile(r"^<!-- quoted: (\S+) -->\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", ["model", "metric", "figure"])
def test_a_quoted_example_is_the_tested_file(example: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    name = f"tests/examples/newcomer_{example}.py"
    assert dict(QUOTED.findall(text))[name] == (ROOT / name).read_text(encoding="utf-8")
