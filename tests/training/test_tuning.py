"""A search compares trials on validation images, tests the best one, and survives a kill."""

import json
import os
import shlex
import shutil
import signal
import statistics

import pytest

import convscope
from convscope.cli import main
from convscope.errors import Interrupted, RequestError, WorkError
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from convscope.training.config import TrainConfig
from convscope.training.tuning import study as studies
from convscope.training.tuning.folder import STUDY
from convscope.training.tuning.space import Choices, Range, parse_space, parse_words, to_text
from convscope.training.tuning.study import Study
from tests.training.small import digest_of_weights

optuna = pytest.importorskip("optuna")

SETTINGS = dict(model="lenet5", epochs=2, batch_size=420, engine="torch", checkpoint_seconds=1e6)
SEARCH = {"lr": "1e-4..1e-1:log", "optimizer": ["sgd", "adamw"]}
SPACE = {"x": Range(0.0, 1.0), "y": Choices(("a", "b"))}


class Watch(Callback):
    """Counts the looks at the test split, and acts at a step counted over all trials."""

    def __init__(self, at=0, act=lambda: None):
        self.at, self.act, self.steps, self.tested, self.notes = at, act, 0, [], []

    def on_message(self, event):
        self.notes.append(event.text)

    def on_run_start(self, event):
        self.path = event.path

    def on_step_end(self, state, event):
        self.steps += 1
        if self.steps == self.at:
            self.act()

    def on_evaluation_start(self, state, event):
        if event.split == "test":
            self.tested.append(self.path.name)


def tune(out, watch=None, **more):
    callbacks = [] if watch is None else [watch]
    arguments = {"search": SEARCH, "trials": 3, **SETTINGS, **more}
    return convscope.tune("digits", out=out, callbacks=callbacks, progress=False, **arguments)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search, and a copy of its folder as a kill in the second trial would have left it."""
    folder = tmp_path_factory.mktemp("searched")
    watch = Watch(8, lambda: shutil.copytree(folder / "whole", folder / "killed"))
    return tune(folder / "whole", watch), watch, folder / "killed"


def test_the_best_is_the_one_with_the_best_validation_and_it_alone_is_tested(searched):
    result, watch, _ = searched
    folders = [result.path / f"trial-{number}" for number in range(3)]
    scores = [json.loads((path / "validation.json").read_text())["top1"] for path in folders]
    assert [trial.value for trial in result.trials] == scores
    assert result.best.number == scores.index(max(scores))
    assert watch.tested == [f"trial-{result.best.number}"]
    assert [path / "test.json" for path in folders if (path / "test.json").exists()] == [
        folders[result.best.number] / "test.json"
    ]


def test_the_trials_have_the_values_that_they_were_given(searched):
    result, _, _ = searched
    study = optuna.load_study(
        study_name="convscope", storage=f"sqlite:///{result.path / STUDY}"
    )  # Optuna's own reader
    for trial, frozen in zip(result.trials, study.trials, strict=True):
        config = Run(result.path / f"trial-{trial.number}").read_config()
        assert frozen.params == {name: config[name] for name in SEARCH} == trial.params
        assert frozen.value == trial.value
        assert [*frozen.intermediate_values] == [1, 2]


@pytest.mark.slow
def test_a_killed_search_goes_on_to_the_same_result(searched):
    result, _, killed = searched
    assert sorted(path.name for path in killed.glob("trial-*")) == ["trial-0", "trial-1"]
    with pytest.raises(SystemExit) as done:
        main(["resume", str(killed)])
    assert done.value.code == 0
    again = json.loads((killed / "tune.json").read_text())
    assert [(trial["params"], trial["value"]) for trial in again["trials"]] == [
        (trial.params, trial.value) for trial in result.trials
    ]
    assert again["test"] == result.test.test.to_dict()
    for number in range(3):
        name = f"trial-{number}"
        assert digest_of_weights(killed / name) == digest_of_weights(result.path / name)


def test_the_command_trains_the_best_again(searched, tmp_path):
    result, _, _ = searched
    words = shlex.split(result.command)
    with pytest.raises(SystemExit):
        main([*words[1:], "--out", str(tmp_path / "run")])
    assert digest_of_weights(tmp_path / "run") == digest_of_weights(result.test.run)
    for part in ("trial", "val top1", "adamw", "best", result.command.split()[2]):
        assert part in f"{result} {result.command}"


def test_more_trials_go_on_with_a_finished_search_and_others_are_refused(searched, tmp_path):
    result, _, _ = searched
    out = shutil.copytree(result.path, tmp_path / "search")
    watch = Watch()
    more = tune(out, watch, trials=4)
    assert [trial.params for trial in more.trials[:3]] == [t.params for t in result.trials]
    assert len(more.trials) == 4
    assert watch.steps == 6
    with pytest.raises(RequestError, match=r"another search: epochs is 2, not 3"):
        tune(out, epochs=3)
    with pytest.raises(RequestError, match=r"Call convscope\.tune again as before"):
        convscope.resume(out)


def test_an_interruption_says_how_to_go_on(tmp_path):
    stop = Watch(2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted, match=r"Stopped in trial 0; .*`convscope resume \S+search`"):
        tune(tmp_path / "search", stop)
    assert not (tmp_path / "search" / "trial-1").exists()


@pytest.mark.slow
def test_trials_that_fail_are_told_and_end_a_search_that_begins_with_three(tmp_path):
    watch = Watch()
    with pytest.raises(WorkError, match="The first 3 trials failed"):
        tune(tmp_path / "search", watch, search={"freeze": ["nowhere", "conv9"]}, trials=9)
    assert sum(note.startswith("This trial failed:") for note in watch.notes) == 3


def test_no_trial_begins_after_the_minutes(tmp_path):
    result = tune(tmp_path / "search", total_minutes=1e-6, epochs=1)
    assert len(result.trials) == 1


def test_what_is_compared_needs_validation_images(tmp_path):
    with pytest.raises(RequestError, match="`val=0` holds out none"):
        tune(tmp_path / "search", val=0)
    assert not (tmp_path / "search").exists()


def test_a_missing_optuna_names_its_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(studies, "find_spec", lambda _name: None)
    with pytest.raises(RequestError, match=r'`pip install "convscope\[tune\]"`'):
        tune(tmp_path / "search")


def objective(params):
    return (params["x"] - 0.3) ** 2 + (params["y"] == "a")


def search_alone(path, count, *, seed=0, reopened=()):
    """A search with a function in place of a training."""
    found = []
    study = Study(path, SPACE, maximize=False, prune=False, seed=seed)
    for number in range(count):
        if number in reopened:
            study = Study(path, SPACE, maximize=False, prune=False, seed=seed)
        trial = study.begin()
        study.end(trial, "complete", objective(trial.params), 0.0)
        found.append(trial.params)
    return found


def test_the_same_seed_gives_the_same_trials_also_after_interruptions(tmp_path):
    first = search_alone(tmp_path / "a.db", 5)
    assert search_alone(tmp_path / "b.db", 5, reopened=(2,)) == first
    assert search_alone(tmp_path / "c.db", 2, seed=100) != first[:2]
    assert len({params["x"] for params in first}) == 5


def test_a_trial_below_the_median_of_five_ends(tmp_path):
    study = Study(tmp_path / "s.db", SPACE, maximize=True, prune=True, seed=0)
    before = [0.1, 0.2, 0.3, 0.4, 0.5]
    for value in before:
        trial = study.begin()
        assert not study.report(trial, 1, value)
        study.end(trial, "complete", value, 0.0)
    median = statistics.median(before)
    for value in (median - 0.01, median + 0.01):
        trial = study.begin()
        assert study.report(trial, 1, value) == (value < median)
        study.end(trial, "pruned", None, 0.0)


def test_a_trial_that_was_killed_while_it_got_its_values_counts_as_failed(tmp_path):
    study = Study(tmp_path / "s.db", SPACE, maximize=True, prune=True, seed=0)
    study._study.ask({"x": study._distributions["x"]})
    assert study.unfinished() is None
    assert study.trials()[0].reason == "killed before it began"


CONFIG = TrainConfig(model="lenet5")


def test_the_plain_form_is_read_and_written_as_it_is():
    words = ["lr=1e-4..0.1:log", "augment=none,crop-flip", "epochs=2..9", "ema=0,0.99"]
    space = parse_space(parse_words(words), CONFIG)
    assert space == {
        "lr": Range(1e-4, 0.1, is_log=True),
        "augment": Choices(("none", "crop-flip")),
        "epochs": Range(2, 9, is_integer=True),
        "ema": Choices((0.0, 0.99)),
    }
    assert parse_space({name: to_text(one) for name, one in space.items()}, CONFIG) == space
    assert parse_space({"learning_rate": "0.1,0.2"}, CONFIG).keys() == {"lr"}
    assert parse_space({"nesterov": [True, False]}, CONFIG)["nesterov"] == Choices((True, False))


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({}, "is empty"),
        ({"lrr": "0..1"}, r"unknown setting 'lrr'. Did you mean 'lr'\?"),
        ({"lr": "0.1..0.01"}, "no range from low to high"),
        ({"lr": "0..1:log"}, "no logarithm"),
        ({"lr": "-1..1"}, "must be above 0"),
        ({"lr": "0.1,0.1"}, "each once"),
        ({"lr": "0.1,fast"}, "must be a number, not 'fast'"),
        ({"epochs": "1..2.5"}, "must be integers"),
        ({"augment": "none,magic"}, "augment must be"),
        ({"optimizer": "0..1"}, "has no range"),
        ({"crop_scale": "0.1,0.5"}, "cannot vary crop_scale, which has several numbers"),
        ({"zoom": "0.9..1.1"}, "cannot vary zoom, which has several numbers"),
        ({"input_size": [[32, 48], [64, 96]]}, "has several numbers"),
        ({"crop_scale": [[0.1, 1.0], [0.5, 1.0]]}, "has several numbers"),
        ({"test": "0.1,0.2"}, "compared on the same images"),
        ({"metric": "f1,top1"}, "compared on the same images"),
        ({"seed": "1,2"}, "no seed"),
        ({"lr": "0.1,0.2", "learning_rate": "1..2"}, "twice"),
    ],
)
def test_what_no_training_takes_is_refused_before_the_first(search, message):
    with pytest.raises(RequestError, match=message):
        parse_space(search, CONFIG)


@pytest.mark.parametrize("word", ["lr", "lr=", "=1,2"])
def test_another_form_is_refused_with_the_right_one(word):
    with pytest.raises(RequestError, match=r"takes NAME=LOW\.\.HIGH"):
        parse_words([word])
