"""Protocol files that mean no good: each is refused in one short sentence, and none is half read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leukbench.errors import LeukbenchError, UsageError
from leukbench.protocol import Protocol, load_protocol, parse_protocol

NUMBERS = {
    "split": ("folds", "repeats", "test_fraction", "validation_fraction", "seed", "embargo"),
    "training": ("epochs", "batch_size", "early_stopping"),
    "preprocessing": ("size", "median_kernel"),
}
KEYS = [(section, key) for section, keys in NUMBERS.items() for key in keys]


def test_every_number_of_a_protocol_is_tried_here() -> None:
    for section, keys in NUMBERS.items():
        fields = type(getattr(Protocol(name="x"), section)).model_fields
        numeric = {name for name, field in fields.items() if field.annotation in (int, float)}
        assert numeric == set(keys)
    others = set(Protocol.model_fields) - set(NUMBERS) - {"seeds", "audit", "options"}
    assert not [name for name in others if Protocol.model_fields[name].annotation in (int, float)]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "true", "1e400", "9" * 400])
@pytest.mark.parametrize(("section", "key"), KEYS, ids="-".join)
def test_no_number_is_nan_infinite_negative_or_a_switch(section: str, key: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_protocol(f'name = "x"\n[{section}]\n{key} = {value}\n', "own.toml")
    assert f"own.toml, line 3: {section}.{key} = " in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seeds = [-1]", "seeds = [-1] does not fit"),
        ("seeds = [nan]", "seeds.0 = nan does not fit"),
        ("seeds = [4294967296]", "from 0 to 4294967295"),
        ("seeds = [true]", "seeds.0 = True does not fit"),
        ("[options.svm_rbf]\nC = nan", "options.svm_rbf.C"),
        ("[options.svm_rbf]\nC = " + "9" * 400, "options.svm_rbf.C = 9999"),
        ("x = " + "9" * 5000, "no valid TOML"),
        ("x = " + "[" * 5000, "no valid TOML"),
        ("models = " + "[" * 900 + "]" * 900, "no valid TOML"),
        ('"\\u001b[2J\\n" = 1', "\\x1b[2J\\n is unknown"),
        ('title = "' + "x" * 99 + '"\ntask = "' + "y" * 100_000 + '"', "..."),
    ],
    ids=lambda text: text[:20],
)
def test_hostile_texts_are_one_short_sentence(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_protocol(f'name = "x"\n{text}\n', "own.toml")
    message = str(caught.value)
    assert words in message
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "x\\n", "x" * 101, "a b", "é"])
def test_a_name_cannot_lead_out_of_the_folder_of_results(name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        parse_protocol(f'name = "{name}"', "own.toml")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "own.toml"
    os.mkfifo(pipe)
    with pytest.raises(LeukbenchError, match="is a pipe, not a file"):
        load_protocol(str(pipe))
    with pytest.raises(LeukbenchError, match="is a device, not a file"):
        load_protocol("/dev/zero")


PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner)
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["name", *Protocol.model_fields]), VALUES, max_size=4),
)
def test_any_values_give_a_protocol_that_reads_back_or_one_sentence(
    values: dict[str, object],
) -> None:
    from leukbench.protocol import _validate

    try:
        protocol = _validate({"name": "x", **values}, "", "own.toml")
    except UsageError as error:
        assert str(error).isprintable()
        return
    again = Protocol.model_validate(protocol.model_dump(mode="json"))
    assert again == protocol
    assert again.fingerprint == protocol.fingerprint
