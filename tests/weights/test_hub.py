"""To the hub and back, with a stand-in for it on this machine and the hub's own library."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import convscope
from convscope.errors import RequestError
from convscope.hub import Repository, is_hub
from convscope.runs.folder import Run
from tests.cards import write_card
from tests.repetition import first_fast
from tests.weights.hub_server import TOKEN, hub_server

pytest.importorskip("huggingface_hub")
pytest.importorskip("onnx")

PATIENTS = "/home/somebody/patients"
PUSH = ("-o", "hf://me/digits", "--license", "cc-by-4.0", "--engine", "onnxruntime")
OTHER = {"HF_TOKEN": "hf_other"}
PHOTOS = sorted((Path(convscope.__file__).parent / "data" / "bundled").glob("*.jpg"))


class Session:
    """A hub with one repository, and a machine that knows it. Processes are new: the library reads
    the address of the hub when it is imported."""

    def __init__(self, hub, run, folder):
        self.hub, self.run, self.folder = hub, run, folder

    def command(self, *words, **how):
        return self.python("-m", "convscope", *words, **how)

    def python(self, *words, code=0, **variables):
        environment = {
            **os.environ,
            "HF_ENDPOINT": self.hub.address,
            "HF_TOKEN": TOKEN,
            "HF_HOME": str(self.folder / "hf"),
            "HF_HUB_DISABLE_XET": "1",  # its protocol is another
            "CONVSCOPE_DATA": str(self.folder / "cache"),
            "COLUMNS": "200",
            **variables,
        }
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            capture_output=True, text=True, env=environment, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done

    def labels(self, name, **variables):
        done = self.command("predict", name, *PHOTOS, "--json", **variables)
        assert done.stderr == ""
        predictions = json.loads(done.stdout)["predictions"]
        return [(one["label"], round(one["probability"], 4)) for one in predictions]


@pytest.fixture(scope="module")
def session(digits_run, tmp_path_factory):
    """A run whose card names folders of this machine, sent to the hub."""
    folder = tmp_path_factory.mktemp("hub")
    run = folder / "by-john-doe"
    shutil.copytree(digits_run, run)
    places = {"data": f"{PATIENTS}/fundus", "weights": f"{PATIENTS}\\start.pth"}
    write_card(run, provenance={**Run(run).read_card().provenance, **places})
    with hub_server() as hub:
        session = Session(hub, run, folder)
        done = session.command("export", run, *PUSH)
        kept = folder / "cache" / "exported" / "me--digits"
        assert f"Sent {kept} to {hub.address}/me/digits." in done.stdout
        yield session


def test_an_export_and_the_weights_are_sent(session):
    assert sorted(session.hub.files["me/digits"]) == [
        ".gitattributes", "README.md", "card.json", "export.json", "golden.safetensors",
        "images.onnx", "model.onnx", "model.safetensors", "parity.json",
    ]  # fmt: skip
    assert session.hub.private == {"me/digits": False}


def test_the_model_card_says_what_was_measured(session):
    scores = json.loads((session.run / "test.json").read_text())
    text = session.hub.files["me/digits"]["README.md"].decode()
    _, header, text = text.split("---\n", 2)
    assert "license: cc-by-4.0\n" in header
    assert "pipeline_tag: image-classification\n" in header
    assert f"value: {scores['top1']}\n" in header
    low, high = (f"{100 * bound:.1f}%" for bound in scores["top1_interval"])
    assert (
        f"On 359 test images of fundus: Accuracy {100 * scores['top1']:.1f}% "
        f"(95% interval {low} to {high}); Macro F1"
    ) in text


def test_no_path_of_this_machine_is_sent(session):
    hub = session.hub
    sent = b"".join([*hub.received, *hub.files["me/digits"].values(), *hub.large.values()])
    for private in (PATIENTS, str(session.folder), "by-john-doe", "somebody", "patients", TOKEN):
        assert private.encode() not in sent, private
    assert b"fundus" in sent
    assert PATIENTS in (session.run / "card.json").read_text()


def test_what_comes_back_answers_alike_and_needs_no_connection_from_then_on(session):
    expected = session.labels(session.run)
    assert session.labels("hf://me/digits") == expected
    asked = [path for method, path in session.hub.asked if method == "GET" and "resolve" in path]
    assert sorted(path.rpartition("/")[2] for path in asked) == [
        "card.json", "export.json", "golden.safetensors", "model.onnx",
    ]  # fmt: skip
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        start = time.monotonic()
        assert session.labels("hf://me/digits", HF_ENDPOINT=nobody) == expected
        refused = session.command("predict", "hf://me/x", *PHOTOS, code=1, HF_ENDPOINT=nobody)
    assert time.monotonic() - start < 60
    assert "hf://me/x is not in the cache, and the hub cannot be reached" in refused.stderr


@pytest.mark.parametrize(
    "words",
    first_fast(
        1, [["hf://me/digits", "digits"], ["lenet5", "digits", "--weights", "hf://me/digits"]]
    ),
)
def test_its_weights_are_evaluated(session, words):
    own = json.loads((session.run / "test.json").read_text())["top1"]
    found = json.loads(session.command("evaluate", *words, "--json").stdout)
    assert found["top1"] == pytest.approx(own, abs=0.05)  # of all images, those of training, too


@pytest.mark.slow
def test_what_is_not_there_is_named(session):
    refused = session.command("predict", "hf://me/digits@old", *PHOTOS, code=2)
    assert "me/digits has no revision 'old'." in refused.stderr
    session.hub.files["me/text"] = {"README.md": b"", "weights.npz": b""}
    refused = session.command("evaluate", "lenet5", "digits", "--weights", "hf://me/text", code=2)
    assert "hf://me/text has no weights that convscope can read" in refused.stderr
    refused = session.command("evaluate", "hf://me/text", "digits", code=2)
    assert "hf://me/text does not say of which network of the zoo it is." in refused.stderr


def test_a_private_repository_needs_a_token(session):
    folder = session.folder / "cache" / "exported" / "me--digits"
    send = f"""from pathlib import Path
from convscope.hub import *
print(upload(Path({str(folder)!r}), Repository.parse("hf://me/secret"), private=True, message="x"))
"""
    session.python("-c", send)
    assert session.hub.private["me/secret"]
    session.hub.files["me/secret"]["old.bin"] = b"what an earlier export had"
    session.python("-c", send)
    assert "old.bin" not in session.hub.files["me/secret"]
    refused = session.command("predict", "hf://me/secret", *PHOTOS, code=2, **OTHER)
    assert "hf://me/secret does not exist, or is private: `hf auth login`" in refused.stderr
    refused = session.python("-c", send, code=1, **OTHER)
    assert "does not let you write to hf://me/secret" in refused.stderr


def test_what_cannot_be_sent_is_refused_before_any_work(session):
    refused = session.command("export", session.run, *PUSH, code=2, HF_TOKEN="")
    assert "Sending to hf://me/digits needs a token of the hub: `hf auth login`." in refused.stderr
    words = ["hf://me/digits@v1" if word == "hf://me/digits" else word for word in PUSH]
    refused = session.command("export", session.run, *words, code=2)
    assert "hf://me/digits@v1: leave out the revision" in refused.stderr


def test_a_license_is_asked_for(digits_run, tmp_path):
    with pytest.raises(RequestError, match="under which license hf://me/digits may be used"):
        convscope.export(digits_run, "hf://me/digits")
    with pytest.raises(RequestError, match="writes licenses like apache-2"):
        convscope.export(digits_run, "hf://me/digits", license="All rights reserved")
    with pytest.raises(RequestError, match="are for a repository on the hub"):
        convscope.export(digits_run, tmp_path / "out", license="mit")


@pytest.mark.parametrize("text", ["hf://me", "hf://", "hf://me/../x", "hf://me/a/b", "hf://-/x"])
def test_names_of_repositories(text):
    assert is_hub(text)
    with pytest.raises(RequestError, match="names no repository of the Hugging Face hub"):
        Repository.parse(text)


def test_a_repository_is_read_and_written_alike():
    assert Repository.parse("hf://me/digits@v1.0") == Repository("me/digits", "v1.0")
    assert str(Repository("me/digits", "v1.0")) == "hf://me/digits@v1.0"
    assert not is_hub("digits")
