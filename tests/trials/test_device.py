"""A GPU is used where there is one. There is none here: TensorFlow is a fake that sees one."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from leukbench.errors import UsageError
from leukbench.models import registry
from leukbench.runfolder import RunFolder
from leukbench.trials import device, precision
from leukbench.trials.options import RunOptions
from leukbench.trials.worker import child_environment
from tests.trials.test_run_all import run

FAKE = '''
"""A TensorFlow that sees as many GPUs as a variable says, and writes down what it is told."""
import os
from types import SimpleNamespace as Some

told = []


def tell(text):
    told.append(text)
    if "SPY_FOLDER" in os.environ:
        with open(os.environ["SPY_FOLDER"] + "/told.txt", "a") as stream:
            stream.write(text + "\\n")


def gpus(kind):
    if os.environ.get("FAKE_FAULT"):
        raise ImportError(os.environ["FAKE_FAULT"])
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == "-1"
    count = 0 if hidden else int(os.environ.get("FAKE_GPUS", "1"))
    return [Some(name=f"/physical_device:GPU:{i}", device_type=kind) for i in range(count)]


config = Some(
    list_physical_devices=gpus,
    set_visible_devices=lambda devices, kind: tell(f"visible {len(devices)}"),
    experimental=Some(
        get_device_details=lambda gpu: {"device_name": "Fake 4000"},
        enable_op_determinism=lambda: tell("deterministic"),
        enable_tensor_float_32_execution=lambda on: tell(f"tf32 {on}"),
    ),
)
'''
NETWORK = '''
"""A network that needs no TensorFlow, and writes down where it is trained."""
import json, os, time
import leukbench_plugin_for_tests as plugin
from leukbench.models.registry import ModelSpec

SHOWN = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH")


class Spy(plugin.Mean):
    def __init__(self, name="", epochs=1, batch_size=1, precision="", random_state=None):
        self.name, self.epochs, self.batch_size = name, epochs, batch_size
        self.precision, self.random_state = precision, random_state
        self.mode = "ok"

    def fit(self, X, y, **watched):
        begun = time.time()
        super().fit(X, y)
        time.sleep(0.3)
        seen = {name: os.environ.get(name) for name in SHOWN} | {"precision": self.precision}
        line = json.dumps({"model": self.name, "begun": begun, "ended": time.time(), **seen})
        with open(os.environ["SPY_FOLDER"] + "/fits.txt", "a") as stream:
            stream.write(line + "\\n")
        return self


def network(**parameters):
    return Spy("network", **parameters)


def other(**parameters):
    return Spy("other", **parameters)


def spec(name, framework):
    return ModelSpec(
        name=f"spy_{name}", title=f"Spy {name}", family="control", target=f"spies:{name}",
        reference="none", framework=framework, recipe="none.",
    )


SPECS = (spec("network", "keras"), spec("other", "sklearn"))
'''


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No driver, no variable; what was found is forgotten afterwards."""
    monkeypatch.setattr(device, "ROOT", tmp_path / "root")
    for name in (*device.CHOOSERS, "FAKE_GPUS", "FAKE_FAULT", "SPY_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    device.find_gpus.cache_clear()
    yield
    device.find_gpus.cache_clear()


@pytest.fixture
def fake_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fake, for the processes that are started; gives the folder that holds it."""
    folder = tmp_path / "fake"
    (folder / "tensorflow").mkdir(parents=True)
    (folder / "tensorflow" / "__init__.py").write_text(FAKE, encoding="utf-8")
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{before}")
    return folder


@pytest.fixture
def fake_module(fake_tensorflow: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The fake in this process."""
    path = fake_tensorflow / "tensorflow" / "__init__.py"
    spec = importlib.util.spec_from_file_location("tensorflow", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "tensorflow", module)
    yield module


def driver(tmp_path: Path, name: str = "proc/driver/nvidia/version") -> str:
    path = tmp_path / "root" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


def chosen(setting: str, backend: str = "local", networks: bool = True) -> device.Device:
    return device.choose_device(setting, backend, networks=networks)  # type: ignore[arg-type]


def never() -> tuple[str, ...]:
    pytest.fail("TensorFlow was asked")


def test_tensorflow_is_not_asked_where_nothing_speaks_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(device, "_ask_tensorflow", never)
    assert chosen("auto") == device.Device()
    with pytest.raises(UsageError, match="no driver of a GPU; or take `device=cpu`"):
        chosen("gpu")
    driver(tmp_path)
    device.find_gpus.cache_clear()
    assert chosen("cpu") == device.Device()
    assert chosen("auto", networks=False) == device.Device()


@pytest.mark.parametrize("value", ["-1", "", "NoDevFiles"])
@pytest.mark.parametrize("name", device.CHOOSERS)
def test_hidden_gpus_stay_hidden(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    driver(tmp_path)
    monkeypatch.setattr(device, "_ask_tensorflow", never)
    monkeypatch.setenv(name, value)
    assert not chosen("auto").gpu
    assert f"{name} hides all GPUs" in chosen("auto").sentence
    with pytest.raises(UsageError, match=f"{name} hides all GPUs: unset it"):
        chosen("gpu")


@pytest.mark.parametrize(
    "name", ["proc/driver/nvidia/version", "dev/nvidia0", "dev/kfd", "dev/dxg"]
)
def test_a_driver_is_a_sign(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    path = driver(tmp_path, name)
    monkeypatch.setattr(device, "_ask_tensorflow", lambda: ("A", "A", "B"))
    found = chosen("auto")
    assert found.sentence == "GPU A (the first of 3; CUDA_VISIBLE_DEVICES chooses another)"
    monkeypatch.setattr(device, "_ask_tensorflow", tuple)
    device.find_gpus.cache_clear()
    assert chosen("auto").sentence.startswith(f"processor ({path} speaks for a GPU")
    with pytest.raises(UsageError, match=r"sees none: install .*tensorflow\[and-cuda\]"):
        chosen("gpu")


@pytest.mark.usefixtures("fake_tensorflow")
def test_tensorflow_is_asked_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("FAKE_GPUS", "2")
    assert device.find_gpus() == device.Found(("Fake 4000", "Fake 4000"))
    monkeypatch.setenv("FAKE_FAULT", "libcudart is of another version")
    device.find_gpus.cache_clear()
    sentence = chosen("auto").sentence
    assert sentence.startswith("processor (CUDA_VISIBLE_DEVICES=0,1 speaks for a GPU, but")
    assert "could not be asked (ImportError: libcudart is of another version)" in sentence
    with pytest.raises(UsageError, match="libcudart is of another version"):
        chosen("gpu")


def test_dask_workers_use_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver(tmp_path)
    monkeypatch.setattr(device, "_ask_tensorflow", never)
    assert chosen("auto", "dask").sentence == "processor (Dask workers use no GPU)"
    with pytest.raises(UsageError, match="`device=gpu` is for trials on this machine"):
        chosen("gpu", "dask")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(
        UsageError, match="`device='tpu'` does not fit: input should be 'auto', 'cpu'"
    ):
        RunOptions(device="tpu")  # type: ignore[arg-type, call-arg]


def test_a_child_sees_the_gpu_of_its_trial_alone() -> None:
    base = {"CUDA_VISIBLE_DEVICES": "3", "HIP_VISIBLE_DEVICES": "3"}
    hidden, shown = child_environment(1, "", base), child_environment(1, "Fake 4000", base)
    assert {hidden[name] for name in device.CHOOSERS} == {"-1"}
    assert {shown[name] for name in device.CHOOSERS} == {"3"}
    assert shown["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert not set(device.CHOOSERS) & set(child_environment(1, "Fake 4000", {}))


def test_tensorflow_is_settled(fake_module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GPUS", "2")
    device.settle_tensorflow("Fake 4000")
    assert fake_module.told == ["visible 1", "deterministic", "tf32 False"]
    fake_module.told.clear()
    device.settle_tensorflow("")  # as with Metal, which no variable hides
    assert fake_module.told == ["visible 0"]
    with pytest.raises(RuntimeError, match=r"saw the GPU Other when .*, and the GPU Fake 4000 in"):
        device.settle_tensorflow("Other")
    monkeypatch.setenv("FAKE_GPUS", "0")
    with pytest.raises(RuntimeError, match="and no GPU in this trial"):
        device.settle_tensorflow("Fake 4000")
    fake_module.told.clear()
    device.settle_tensorflow("")
    assert fake_module.told == []


def test_auto_precision_is_float32_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    faster = {"dense": 2.0, "depthwise": 2.0}
    monkeypatch.setattr(precision, "bfloat16_speedups", lambda: faster)
    vgg = registry.get("vgg16")
    assert precision.resolve_precision(vgg, "auto") == "mixed_bfloat16"
    assert precision.resolve_precision(vgg, "auto", "Fake 4000") == "float32"
    assert precision.resolve_precision(vgg, "mixed_bfloat16", "Fake 4000") == "mixed_bfloat16"


def add_spies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install `NETWORK` as a plug-in; gives the folder that it writes to."""
    site = tmp_path / "plugin-site"
    facts = site / "spies-1.0.dist-info"
    facts.mkdir()
    (site / "spies.py").write_text(NETWORK, encoding="utf-8")
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: spies\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[leukbench.models]\nspies = spies\n")
    registry._registered.cache_clear()
    notes = tmp_path / "notes"
    notes.mkdir()
    monkeypatch.setenv("SPY_FOLDER", str(notes))
    return notes


@pytest.mark.usefixtures("plugin_models", "fake_tensorflow")
def test_networks_run_on_the_gpu_one_at_a_time_and_the_record_says_so(
    make_folder: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    notes = add_spies(tmp_path, monkeypatch)
    protocol, data, out = tmp_path / "spies.toml", make_folder(), tmp_path / "out"
    protocol.write_text(
        'name = "spies"\nmodels = ["spy_network", "spy_other"]\nseeds = [0, 1]\n'
        '[preprocessing]\nsize = 32\n[split]\npolicy = "stratified"\ntest_fraction = 0.25\n'
        "[training]\nepochs = 1\nbatch_size = 8\n"
        "[audit]\nprobes = false\nallow_duplicates_across_split = true\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert run(data, protocol, out, "--jobs", "2") == 0
    assert "device    GPU Fake 4000\n" in capsys.readouterr().err
    fits = [json.loads(line) for line in (notes / "fits.txt").read_text().splitlines()]
    networks = [fit for fit in fits if fit["model"] == "network"]
    others = [fit for fit in fits if fit["model"] == "other"]
    first, second = sorted(networks, key=lambda fit: fit["begun"])
    assert first["ended"] <= second["begun"], "a GPU has one trial at a time"
    assert {fit["CUDA_VISIBLE_DEVICES"] for fit in networks} == {"0"}
    assert {fit["TF_FORCE_GPU_ALLOW_GROWTH"] for fit in networks} == {"true"}
    assert {fit["precision"] for fit in networks} == {"float32"}
    assert len(others) == 2
    assert {fit["CUDA_VISIBLE_DEVICES"] for fit in others} == {"-1"}
    assert "deterministic" in (notes / "told.txt").read_text()
    records = RunFolder(out).records
    assert {(r.model, r.device) for r in records} == {
        ("spy_network", "Fake 4000"),
        ("spy_other", ""),
    }
    footnote = (out / "comparison.md").read_text(encoding="utf-8")
    assert "Spy network on the GPU Fake 4000; Spy other on the processor; times on" in footnote

    (notes / "fits.txt").unlink()
    monkeypatch.setattr(precision, "bfloat16_speedups", dict)  # float32 is the faster one here too
    assert run(data, protocol, out, "--device", "cpu", "--precision", "auto") == 0
    assert not (notes / "fits.txt").exists(), "the key of a trial does not name the device"


def test_doctor_lists_gpus(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from leukbench.cli.health import doctor
    from leukbench.trials.worker import Worker

    monkeypatch.setattr(Worker, "ping", lambda self: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(device, "_ask_tensorflow", lambda: ("Fake 4000", "Fake 5000"))
    doctor()
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if line.startswith("gpu ")] == [
        "gpu          Fake 4000", "gpu          Fake 5000",
    ]  # fmt: skip
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    device.find_gpus.cache_clear()
    doctor()
    assert "gpu          none, and no driver of one\n" in capsys.readouterr().out
