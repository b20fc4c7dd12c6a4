"""Callbacks of a user in a training of convscope.train."""

import re
from pathlib import Path

import pytest
import torch

import convscope
from convscope.errors import RequestError, WorkError
from convscope.runs.folder import Run
from tests.training.small import Act, assert_same_bits, train

DOCS = Path(__file__).resolve().parents[2] / "docs" / "training.md"


def test_the_callback_of_the_docs_stops_when_its_file_appears(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    [code] = (block for block in blocks if "(convscope.Callback)" in block)
    assert sum(bool(line.strip()) for line in code.split("class ")[1].splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    real = convscope.train

    def touching(*arguments, callbacks, **settings):
        touch = Act((7, (tmp_path / "stop").touch))
        return real(*arguments, callbacks=[touch, *callbacks], **settings)

    monkeypatch.setattr(convscope, "train", touching)
    names = {}
    exec(code, names)  # noqa: S102 -- the docs' own code
    [log] = tmp_path.glob("runs/*/metrics.jsonl")
    [line] = Run(log.parent).read_metrics()
    assert line["step"] == 7
    assert names["result"].test.num_images == 359


def test_a_reason_to_stop_is_told_and_the_run_is_done(tmp_path):
    class StopAtFive(convscope.Callback):
        def on_step_end(self, state, event):
            if event.step == 5:
                state.stop("five are enough")

    notes = Act()
    result = train(tmp_path / "run", callbacks=[StopAtFive(), notes])
    assert (
        "Stopped early: five are enough. The weights of epoch 1, the best, are kept." in notes.notes
    )
    assert (tmp_path / "run" / "test.json").exists()
    before = (tmp_path / "run" / "test.json").read_text()
    assert convscope.resume(tmp_path / "run").test.top1 == result.test.top1
    assert (tmp_path / "run" / "test.json").read_text() == before


def test_a_stop_at_the_end_of_the_last_epoch_is_not_told_as_early(tmp_path):
    class StopAtOne(convscope.Callback):
        def on_epoch_end(self, state, event):
            state.stop("one is enough")

    notes = Act()
    train(tmp_path / "run", callbacks=[StopAtOne(), notes], epochs=1)
    assert not [note for note in notes.notes if "Stopped early" in note]


def test_a_failing_callback_is_named_and_the_run_resumes_to_the_same_bits(tmp_path, undisturbed):
    class Broken(convscope.Callback):
        def on_step_end(self, state, event):
            if event.step == 17:
                raise ZeroDivisionError("division by zero")

    out = tmp_path / "run"
    with pytest.raises(WorkError) as caught:
        train(out, callbacks=[Broken()], checkpoint_seconds=0.0)
    message = str(caught.value)
    assert "Broken.on_step_end raised ZeroDivisionError: division by zero" in message
    assert str(out) in message
    assert Run(out).read_state()[0].metadata["state"]["step"] == 16
    convscope.resume(out)
    assert_same_bits(out, undisturbed)


def test_a_callback_that_fails_before_the_first_checkpoint_promises_no_state(tmp_path):
    class Broken(convscope.Callback):
        def on_fit_start(self, state, event):
            raise ValueError("no")

    with pytest.raises(WorkError, match=r"on_fit_start raised ValueError: no\.$"):
        train(tmp_path / "run", callbacks=[Broken()], epochs=1)
    convscope.resume(tmp_path / "run")


def test_resume_refuses_a_number_of_threads_that_is_none(tmp_path):
    with pytest.raises(RequestError, match="`threads` must be at least 1, not 0"):
        convscope.resume(tmp_path, threads=0)


def test_events_carry_the_run_the_network_and_what_each_image_got(tmp_path):
    class Record(convscope.Callback):
        def on_run_start(self, event):
            self.start = event

        def on_validation_end(self, state, event):
            self.validation = event

        def on_run_end(self, event):
            self.end = event

    record = Record()
    result = train(tmp_path / "run", callbacks=[record], epochs=1)
    assert record.start.path == record.end.path == result.run
    assert record.start.config.batch_size == 128
    assert isinstance(record.start.network, torch.nn.Module)
    assert record.validation.metrics["loss"] == pytest.approx(
        record.validation.outputs.losses.mean()
    )
    assert record.end.test is result.test


def test_reading_with_callbacks_changes_no_bit(tmp_path, undisturbed):
    class Look(convscope.Callback):
        def on_step_end(self, state, event):
            self.mean = event.batch.pixels.float().mean()

    train(tmp_path / "run", callbacks=[Look()])
    assert_same_bits(tmp_path / "run", undisturbed)
