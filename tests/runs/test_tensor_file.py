"""What was stored comes back bit for bit, or is refused."""

import random

import pytest
import torch

from convscope.errors import WorkError
from convscope.runs.tensor_file import CorruptFileError, load_tensors, save_tensors

TENSORS = {
    "weight": torch.arange(24.0).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "step": torch.tensor(7),
    "none": torch.empty(0, 3),
    "state": torch.arange(256).to(torch.uint8),
}
FACTS = {"version": 1, "name": "glaucoma ✓", "best": None}


def test_tensors_and_facts_come_back_as_they_were(tmp_path):
    save_tensors(tmp_path / "x.safetensors", TENSORS, FACTS)
    stored = load_tensors(tmp_path / "x.safetensors")
    assert stored.metadata == FACTS
    assert stored.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(stored.tensors[name], tensor)
        assert stored.tensors[name].dtype == tensor.dtype


def test_shared_memory_is_stored_twice_rather_than_refused(tmp_path):
    tied = torch.ones(3)
    save_tensors(tmp_path / "x.safetensors", {"a": tied, "b": tied}, {})
    assert load_tensors(tmp_path / "x.safetensors").tensors.keys() == {"a", "b"}


def test_fifty_corruptions_are_all_found(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, FACTS)
    whole, dice, found = path.read_bytes(), random.Random(0), 0
    for number in range(50):
        damaged = bytearray(whole)
        if number % 5 == 0:
            del damaged[dice.randrange(len(whole)) :]
        else:
            damaged[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(CorruptFileError, match=str(path)):
            load_tensors(path)
        found += 1
    assert found == 50


def test_an_altered_fact_is_found(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, {"step": 111})
    path.write_bytes(path.read_bytes().replace(b"111", b"112"))
    with pytest.raises(CorruptFileError, match="its digest does not match"):
        load_tensors(path)


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"\xff" * 64, b"<html>"])
def test_what_is_no_file_of_tensors_is_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(WorkError, match="damaged"):
        load_tensors(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WorkError, match=r"x\.safetensors does not exist"):
        load_tensors(tmp_path / "x.safetensors")


def test_infinity_is_not_strict_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        save_tensors(tmp_path / "x.safetensors", {}, {"best": float("inf")})
