"""What a model is computed in where nobody says: what it is stored in, where the device can, else what is quick or exact."""

from __future__ import annotations

import struct

import pytest

from sttd.part import ModelSpec
from sttd.worker.folder import DEMO
from sttd.worker.model import load
from sttd.worker.weights import compute_type, stored_type
from tests.bench import random_model

CPU = {"int8", "int8_float32", "float32"}
GPU = {"int8", "int8_float32", "int8_float16", "float16", "bfloat16", "float32"}
OLD_GPU = {"int8", "int8_float32", "float32"}  # Pascal
TYPES = {"float32": 0, "int8": 1, "float16": 4}


def weights(*variables: tuple[str, str, int], version: int = 6) -> bytes:
    """A model.bin with variables of a name, a type and a size in bytes, as CTranslate2 writes it."""

    def text(words: str) -> bytes:
        return struct.pack("<H", len(words) + 1) + words.encode() + b"\0"

    data = struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<II", 3, len(variables))
    for name, kind, size in variables:
        data += text(name) + struct.pack("<BII", 2, size, 1) + struct.pack("<BI", TYPES[kind], size) + bytes(size)
    return data


@pytest.mark.parametrize(
    ("wanted", "device", "stored", "supported", "asked"),
    [
        ("default", "cpu", "float16", CPU, "auto"),  # nearly all Whisper models: float32 was twice the time
        ("default", "cpu", "bfloat16", CPU, "auto"),
        ("default", "cpu", "float32", CPU, "default"),  # stored like that on purpose
        ("default", "cpu", "int8", CPU, "default"),
        ("default", "cpu", "bfloat16", CPU | {"bfloat16"}, "default"),
        ("default", "cpu", "", CPU, "default"),
        ("float32", "cpu", "float16", CPU, "float32"),  # a person's own choice stands
        ("float16", "cpu", "float16", CPU, "float16"),
        ("default", "cuda", "float16", GPU, "default"),  # what a GPU is quick at
        ("default", "cuda", "float16", OLD_GPU, "float32"),  # as CTranslate2 does, without its warning
    ],
)
def test_the_default_is_what_the_model_is_stored_in_where_the_device_computes_in_it(
    wanted, device, stored, supported, asked
):
    assert compute_type(wanted, device, stored, supported) == asked


def test_the_stored_type_is_that_of_most_bytes(tmp_path):
    """An int8 model has float32 for its scales, a float16 one int8 for its flags."""
    path = tmp_path / "model.bin"
    for variables, stored in (
        ([("flag", "int8", 1), ("conv", "float16", 500), ("scale", "float32", 100)], "float16"),
        ([("conv", "float32", 100), ("encoder", "int8", 900)], "int8"),
        ([("conv", "float32", 100)], "float32"),
    ):
        path.write_bytes(weights(*variables))
        assert stored_type(tmp_path) == stored
    assert stored_type(DEMO) == "int8"


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff" * 5000, weights(("conv", "float16", 500), version=3), weights(("conv", "float16", 500))[:30],
     struct.pack("<I", 6) + b"\0\0" + struct.pack("<II", 3, 2**32 - 1) + bytes(100)],
)  # fmt: skip
def test_what_is_no_model_has_no_type_and_costs_no_time(tmp_path, data):
    (tmp_path / "model.bin").write_bytes(data)
    assert stored_type(tmp_path) == ""
    assert stored_type(tmp_path / "nowhere") == ""


def test_a_model_stored_in_float16_is_computed_in_int8_on_a_cpu_without_a_warning(tmp_path, capfd):
    """CTranslate2 warned at each load, past the log."""
    half = tmp_path / "half"
    random_model.make(random_model.Shape(1, 64, 1), half, "float16")
    assert stored_type(half) == "float16"
    model = load(ModelSpec(str(half), device="cpu"), lambda *_: None)
    assert model.whisper.model.compute_type.startswith("int8")
    assert capfd.readouterr().err == ""
    assert (
        load(ModelSpec(str(half), device="cpu", compute_type="float32"), lambda *_: None).whisper.model.compute_type
        == "float32"
    )
