"""What was stored comes back bit for bit, or is refused."""

import hashlib
import json
import random

import pytest
import torch
from safetensors.torch import load_file, save

from convscope.errors import WorkError
from convscope.runs import tensor_file, tensor_layout
from convscope.runs.tensor_file import (
    CorruptFileError,
    load_tensors,
    open_tensors,
    pack_tensors,
    save_tensors,
)
from tests.forked import FORKS
from tests.limits import limit_memory, needs_limits

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


COMPLEX = torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex64)
UNUSUAL = {
    "transposed": torch.arange(35.0).reshape(5, 7).t(),
    "expanded": torch.tensor([2.5]).expand(6, 3),
    "every third": torch.arange(30, dtype=torch.int16)[2::3],
    "one of a column": torch.arange(12.0).reshape(4, 3)[1:2, 2:3],
    "conjugated": COMPLEX.conj(),
    "negated": COMPLEX.conj().imag,
    "bools": torch.tensor([[True, False]]),
    "a parameter": torch.nn.Parameter(torch.ones(2, 2)),
    "größe": torch.tensor([5], dtype=torch.uint64),
}


@pytest.mark.parametrize("chunk", [16, 40, 4 << 20])
def test_the_bytes_are_those_of_the_library(monkeypatch, tmp_path, chunk):
    monkeypatch.setattr(tensor_layout, "CHUNK", chunk)
    tensors, facts = {**TENSORS, **UNUSUAL}, {"b": [1, None], "a": "\udcff ✓"}
    packed = pack_tensors(tensors, facts)
    text = json.loads(packed[8 : 8 + int.from_bytes(packed[:8], "little")])["__metadata__"]
    plain = {
        name: tensor.detach().resolve_conj().resolve_neg().contiguous().clone()
        for name, tensor in tensors.items()
    }
    assert packed == save(plain, text)
    save_tensors(tmp_path / "x.safetensors", tensors, facts)
    assert (tmp_path / "x.safetensors").read_bytes() == packed
    assert load_tensors(tmp_path / "x.safetensors").metadata == facts
    for name, tensor in load_file(tmp_path / "x.safetensors").items():
        assert torch.equal(tensor, plain[name])
        assert torch.equal(load_tensors(tmp_path / "x.safetensors").tensors[name], plain[name])


def test_equal_content_gives_equal_bytes_in_whatever_order_it_comes():
    names = [f"layer{number}" for number in range(50)]
    tensors = {name: torch.full((2,), float(number)) for number, name in enumerate(names)}
    facts = dict.fromkeys(names, 1)
    backwards = dict(reversed(tensors.items())), dict(reversed(facts.items()))
    assert pack_tensors(tensors, facts) == pack_tensors(*backwards)


def test_files_of_earlier_versions_are_read_and_their_damage_is_found(tmp_path):
    path, text = tmp_path / "x.safetensors", json.dumps({"step": 3})
    weight = torch.arange(6.0).reshape(2, 3)
    digest = hashlib.sha256(text.encode() + b"w torch.float32 (2, 3)\n" + weight.numpy().tobytes())
    path.write_bytes(save({"w": weight}, {"metadata": text, "sha256": digest.hexdigest()}))
    stored = load_tensors(path)
    assert stored.metadata == {"step": 3}
    assert torch.equal(stored.tensors["w"], weight)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CorruptFileError, match="its digest does not match"):
        load_tensors(path)


def test_what_the_disk_altered_replaces_nothing(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, {"step": 1})
    real = tensor_file._write

    def write(file, header, tensors):
        real(file, header, tensors)
        file.seek(-1, 2)
        file.write(b"\x00")  # it was 255

    monkeypatch.setattr(tensor_file, "_write", write)
    with pytest.raises(CorruptFileError, match=r"x\.safetensors could not be saved"):
        save_tensors(path, TENSORS, {"step": 2})
    assert load_tensors(path).metadata == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["x.safetensors"]


def _file(table, data=b""):
    header = json.dumps(table).encode()
    return len(header).to_bytes(8, "little") + header + data


FACTS_KEY = {"__metadata__": {"convscope": '{"digest":"","metadata":{}}'}}


@pytest.mark.parametrize(
    "content",
    [
        _file({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
        _file({**FACTS_KEY, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
        _file({**FACTS_KEY, "w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"1234"),
        _file({**FACTS_KEY, "w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"1234"),
        _file({**FACTS_KEY, "w": {"dtype": "Q7", "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
        _file({**FACTS_KEY, "w": {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}}),
        _file({**FACTS_KEY, "w": {"dtype": "F32", "shape": [0] * 999, "data_offsets": [0, 0]}}),
        _file({**FACTS_KEY, "w": 5}),
        _file({**FACTS_KEY}, b"1234"),
        _file({"__metadata__": {"convscope": "[]"}}),
        _file([]),
        _file("text"),
        b"\xff" * 7 + b"\x7f{}",
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(CorruptFileError, match="damaged"):
        load_tensors(tmp_path / "x.safetensors")


def test_a_name_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": torch.ones(1), "b": torch.ones(1)}, {})
    path.write_bytes(path.read_bytes().replace(b'"b"', b'"a"'))
    with pytest.raises(CorruptFileError, match="a name stands twice"):
        load_tensors(path)


def test_what_the_format_cannot_hold_is_named(tmp_path):
    with pytest.raises(WorkError, match=r"spin cannot be saved: .*complex128"):
        save_tensors(
            tmp_path / "x.safetensors", {"spin": torch.zeros(2, dtype=torch.complex128)}, {}
        )


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


def test_an_opened_file_gives_each_tensor_when_it_is_asked_for(tmp_path):
    save_tensors(tmp_path / "x.safetensors", TENSORS, FACTS)
    opened = open_tensors(tmp_path / "x.safetensors")
    assert opened.metadata == FACTS
    assert opened.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(opened.tensors[name], tensor)
    with pytest.raises(KeyError):
        opened.tensors["another"]


@pytest.mark.parametrize("content", ["other values", "another header", "nothing"])
def test_an_opened_file_that_is_replaced_is_not_mixed_with_the_other(tmp_path, content):
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, FACTS)
    opened = open_tensors(path)
    if content == "nothing":
        path.unlink()
    else:
        more = {"more": torch.ones(1)} if content == "another header" else {}
        save_tensors(path, {**{name: tensor + 1 for name, tensor in TENSORS.items()}, **more}, {})
    with pytest.raises(CorruptFileError, match=str(path)):
        opened.tensors["weight"]


def test_an_opened_file_is_checked_first(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, FACTS)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(CorruptFileError, match="its digest does not match"):
        open_tensors(path)


MEGABYTES = 1 << 20


def save_and_open(path):
    """In a process of its own: 240 MB of tensors, with 24 MB to spare beside them."""
    tensors = {f"layer{number}": torch.ones(10 * MEGABYTES) for number in range(4)}
    tensors["transposed"] = torch.ones(4 * MEGABYTES, 5).t()
    limit_memory(24 * MEGABYTES)
    save_tensors(path, tensors, {})
    opened = open_tensors(path)
    assert opened.tensors.keys() == tensors.keys()
    tensors.clear()
    assert opened.tensors["layer1"].sum() == 10 * MEGABYTES


@needs_limits
def test_saving_takes_a_tenth_of_the_state_beside_it(tmp_path):
    process = FORKS.Process(target=save_and_open, args=(tmp_path / "x.safetensors",))
    process.start()
    process.join()
    assert process.exitcode == 0
