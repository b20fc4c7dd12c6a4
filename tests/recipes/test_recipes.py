"""Recipes against the papers' figures, written by hand, and a run's result beside them."""

import json

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import RequestError
from convscope.evaluation.metrics import Metrics
from convscope.recipes import list_recipes, read_recipe
from convscope.recipes.outcome import Outcome
from convscope.training import augmentation_sheet, lr_finder
from convscope.training.assemble import schedule_of
from convscope.training.config import TrainConfig
from convscope.training.effects import without_effect
from convscope.training.limits import Limits
from convscope.training.recipe import with_recipe
from convscope.zoo import ENTRIES, ZOO
from scripts.recipes import PAGE, write

# Images a step, peak rate, momentum, weight decay, Nesterov's, epochs, as the papers have them.
PAPERS = """
    alexnet-imagenet            128  0.01   0.9  5e-4  no   90
    densenet-cifar10             64  0.1    0.9  1e-4  yes  300
    densenet-imagenet           256  0.1    0.9  1e-4  yes  90
    fine-tune                    32  0.003  0.9  0.01  no   15
    fractalnet-cifar10          100  0.02   0.9  0     no   400
    googlenet-imagenet           32  0.01   0.9  2e-4  no   60
    lenet5-mnist                  1  5e-4   0    0     no   20
    modern-imagenet            1024  0.5    0.9  2e-5  no   600
    nin-cifar10                 128  0.1    0.9  1e-4  no   200
    resnet-cifar10              128  0.1    0.9  1e-4  no   182
    resnet-imagenet             256  0.1    0.9  1e-4  no   120
    resnet110-cifar10           128  0.1    0.9  1e-4  no   182
    resnext-cifar10             128  0.1    0.9  5e-4  yes  300
    squeezenet-imagenet         512  0.04   0.9  2e-4  no   68
    stochastic-depth-cifar10    128  0.1    0.9  1e-4  yes  500
    vgg-imagenet                256  0.01   0.9  5e-4  no   74
    wrn-cifar10                 128  0.1    0.9  5e-4  yes  200
    yolo-voc                     64  0.01   0.9  5e-4  no   135
"""
ROWS = [line.split() for line in PAPERS.strip().splitlines()]

# Published errors in percent, and those of the top five.
FIGURES = """
    alexnet-imagenet          alexnet_towers              40.7   18.2
    densenet-cifar10          densenet40_12                5.24  -
    densenet-cifar10          densenet100_12               4.10  -
    densenet-cifar10          densenet100_12_bc            4.51  -
    densenet-cifar10          densenet190_40_bc            3.46  -
    densenet-imagenet         densenet121                 25.02  7.71
    densenet-imagenet         densenet169                 23.80  6.85
    densenet-imagenet         densenet201                 22.58  6.34
    fractalnet-cifar10        fractalnet20                 4.60  -
    googlenet-imagenet        googlenet                   31.3   11.1
    lenet5-mnist              lenet5_1998                  0.95  -
    modern-imagenet           resnet50                    19.14  4.57
    nin-cifar10               nin_cifar_zca                8.81  -
    resnet-cifar10            resnet20_cifar               8.75  -
    resnet-cifar10            resnet32_cifar               7.51  -
    resnet-cifar10            resnet44_cifar               7.17  -
    resnet-cifar10            resnet56_cifar               6.97  -
    resnet-imagenet           resnet18                    30.43  10.76
    resnet-imagenet           resnet34                    26.73  8.74
    resnet-imagenet           resnet50                    24.7   7.8
    resnet-imagenet           resnet101                   23.6   7.1
    resnet-imagenet           resnet152                   23.0   6.7
    resnet110-cifar10         resnet110_cifar              6.43  -
    resnext-cifar10           resnext29_8x64d              3.65  -
    resnext-cifar10           resnext29_16x64d             3.58  -
    squeezenet-imagenet       squeezenet1_0               42.5   19.7
    squeezenet-imagenet       squeezenet1_1               42.5   19.7
    stochastic-depth-cifar10  resnet110_stochastic_depth   5.25  -
    vgg-imagenet              vgg11                       29.6   10.4
    vgg-imagenet              vgg11_lrn                   29.7   10.5
    vgg-imagenet              vgg13                       28.7   9.9
    vgg-imagenet              vgg16_c                     28.1   9.4
    vgg-imagenet              vgg16                       27.0   8.8
    vgg-imagenet              vgg19                       27.3   9.0
    wrn-cifar10               wrn28_10                     4.00  -
"""

# Batches of an epoch, and the steps at which the rate falls, by what factor: the papers' numbers.
DROPS = {
    "resnet-cifar10": (352, [32_032, 48_048], 0.1),
    "wrn-cifar10": (391, [60 * 391, 120 * 391, 160 * 391], 0.2),
    "resnext-cifar10": (391, [150 * 391, 225 * 391], 0.1),
    "fractalnet-cifar10": (450, [200 * 450, 300 * 450, 350 * 450, 375 * 450], 0.1),
    "densenet-imagenet": (5000, [30 * 5000, 60 * 5000], 0.1),
    "googlenet-imagenet": (100, [epochs * 100 for epochs in range(8, 60, 8)], 0.96),
    "yolo-voc": (258, [75 * 258, 105 * 258], 0.1),
    "lenet5-mnist": (600, [1200, 3000, 4800, 7200], 0.5),
}


def config_of(name, **given):
    return with_recipe(TrainConfig.from_dict({"recipe": name, **given}), {"recipe", *given})


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        (lr_finder, "range_test", convscope.lr_find),
        (augmentation_sheet, "draw_sheet", convscope.show_augmented),
    ],
)
def test_whatever_takes_the_settings_of_a_training_takes_its_recipe(
    monkeypatch, module, name, call
):
    monkeypatch.setattr(module, name, lambda _data, config, *_more, **_options: config)
    config = call("digits", recipe="wrn-cifar10", lr=0.2)
    assert (config.model, config.lr) == ("wrn28_10", 0.2)


def test_the_settings_are_those_of_the_papers():
    assert [name for name, *_ in ROWS] == list_recipes()
    for name, batch, lr, momentum, decay, nesterov, epochs in ROWS:
        config = config_of(name).resolve(50_000)
        told = (config.images_per_step, config.lr, config.momentum, config.weight_decay)
        assert told == (int(batch), float(lr), float(momentum), float(decay)), name
        assert (config.nesterov, config.epochs) == (nesterov == "yes", int(epochs)), name


def test_the_figures_are_those_of_the_papers():
    held = {
        (name, model): (figure["error"], figure.get("top5_error"))
        for name in list_recipes()
        for model, figure in read_recipe(name).published.items()
    }
    by_hand = {
        (name, model): (float(error), None if top5 == "-" else float(top5))
        for name, model, error, top5 in (line.split() for line in FIGURES.strip().splitlines())
    }
    assert held == by_hand


@pytest.mark.parametrize("name", DROPS)
def test_the_rate_falls_when_the_papers_says(name):
    batches, expected, factor = DROPS[name]
    config = config_of(name)
    limits = Limits(steps=config.epochs * batches)
    schedule = schedule_of(config.resolve(50_000), limits, batches)
    assert config.lr is not None
    for number, step in enumerate(expected):
        before, after = (schedule.lr(at / limits.steps) for at in (step - 1, step + 1))
        assert before == pytest.approx(config.lr * factor**number)
        assert after == pytest.approx(config.lr * factor ** (number + 1))


@pytest.mark.parametrize("name", list_recipes())
def test_every_setting_has_an_effect_and_every_network_is_there(name):
    recipe, config = read_recipe(name), config_of(name)
    assert without_effect(config, recipe.settings) == []
    assert {config.model, *recipe.published} <= ENTRIES.keys()
    assert recipe.command.startswith("convscope train ")
    assert recipe.command.endswith(f" --recipe {name}")
    assert "warmup_epochs" in recipe.settings or name == "fine-tune", "the default would warm up"
    if recipe.classes:
        assert config.model in recipe.published
        assert ZOO[config.model].num_classes == recipe.classes


def test_the_modern_recipe_has_torchvisions_figures_and_its_average_of_the_weights():
    models = pytest.importorskip("torchvision").models
    metrics = models.ResNet50_Weights.IMAGENET1K_V2.meta["_metrics"]["ImageNet-1K"]
    figure = read_recipe("modern-imagenet").published["resnet50"]
    assert figure["error"] == pytest.approx(100 - metrics["acc@1"], abs=0.005)
    assert figure["top5_error"] == pytest.approx(100 - metrics["acc@5"], abs=0.005)
    config = config_of("modern-imagenet")
    every = 32  # steps, and a decay of 0.99998 for one epoch of one image a step
    decay = 1 - (1 - 0.99998) * config.images_per_step * every / config.epochs
    assert config.ema == pytest.approx(decay ** (1 / every), abs=5e-6)


def test_what_is_given_wins_and_an_unknown_recipe_names_the_nearest():
    config = config_of("wrn-cifar10", epochs=3, lr=0.05, crop_padding_mode="constant")
    assert (config.epochs, config.lr, config.crop_padding_mode) == (3, 0.05, "constant")
    assert (config.model, config.batch_size, config.lr_gamma) == ("wrn28_10", 128, 0.2)
    assert config_of("resnet-cifar10", epochs=30).epochs == 30  # also where it is the default
    with pytest.raises(RequestError, match="Did you mean 'wrn-cifar10'"):
        config_of("wrn-cifar")


def test_weights_that_are_given_take_the_place_of_the_published_ones():
    config = config_of("fine-tune", weights="run")
    assert (config.weights, config.pretrained) == ("run", False)
    assert config_of("fine-tune").pretrained


def test_the_recipe_for_fine_tuning_leaves_to_the_defaults_what_they_decide_alike():
    config = config_of("fine-tune").resolve(2000)
    assert (config.optimizer, config.lr, config.backbone_lr_scale) == ("adamw", 0.003, 0.1)
    assert (config.lr_schedule, config.clip_grad_norm, config.freeze_bn) == ("one-cycle", 1, True)
    assert (config.horizontal_flip, config.rotation, config.translation) == (0.5, 15, 0.1)
    assert (config.zoom, config.brightness, config.contrast) == ((0.9, 1.1), 0.2, 0.2)
    defaults = TrainConfig(pretrained=True, model="resnet50").resolve(2000).to_dict()
    others = {n for n, value in config.to_dict().items() if value != defaults.get(n)}
    assert others == {"recipe", "batch_size", "epochs", "weight_decay"}
    assert config_of("fine-tune").resolve(200).batch_size == 32


def test_a_run_from_published_weights_has_not_changed_its_recipe():
    recipe = read_recipe("fine-tune")
    config = {**recipe.settings, "dataset": {"name": "birds"}, "pretrained": False}
    one, other = (
        Outcome.of(recipe, {**config, **more}, metrics(5, 100), epochs=15, named=False)
        for more in ({"weights": "torchvision:resnet50"}, {})
    )
    assert one.changed == ()
    assert other.changed == ("pretrained False for True",)
    assert "it has no published figure" in one.describe()


@pytest.mark.parametrize("deeper", ["vgg13", "vgg16_c", "vgg16", "vgg19"])
def test_vggs_first_and_dense_layers_fit_those_of_a(deeper):
    with torch.device("meta"):
        a, net = (convscope.create_model(name).state_dict() for name in ("vgg11", deeper))
    taken = read_recipe("vgg-imagenet").then.rpartition("--weights-layers ")[2].split(",")
    start = {name: w for name, w in a.items() if name.split(".")[0] in taken}
    assert len(start) == 2 * (4 + 3)
    assert [*a][:8] == [*start][:8], "the first four convolutions of A"
    assert all(net[name].shape == w.shape for name, w in start.items())


def metrics(wrong, images):
    confusion = np.zeros((10, 10), np.int64)
    confusion[0, 0], confusion[0, 1] = images - wrong, wrong
    return Metrics.from_dict(
        {"classes": [*map(str, range(10))], "confusion": confusion.tolist(), "loss": 1.0}
    )


def outcome(wrong=875, images=10_000, *, data="cifar10", epochs=182, named=True, **changed):
    recipe = read_recipe("resnet-cifar10")
    config = {**recipe.settings, **changed, "dataset": {"name": data}}
    return Outcome.of(recipe, config, metrics(wrong, images), epochs=epochs, named=named)


def test_the_interval_is_wilsons_and_says_whether_the_published_error_lies_inside():
    whole = outcome(wrong=900)
    z, p, n = 1.959963984540054, 0.09, 10_000
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert whole.interval == pytest.approx((middle - half, middle + half))
    assert whole.is_inside
    assert "9.00%" in whole.describe()
    assert "published 8.75% (Table 6). The published error lies inside" in whole.describe()
    assert "shortened" not in whole.describe()
    assert not outcome(wrong=1000).is_inside
    assert "lies outside the interval" in outcome(wrong=700).describe()


def test_what_is_not_as_in_the_recipe_is_told():
    told = outcome(epochs=5, lr=0.05, seed=3).describe()
    assert "shortened: 5 of 182 epochs" in told
    assert "Other settings than the recipe's: lr 0.05 for 0.1." in told
    assert "The run was longer: 200 epochs, not 182." in outcome(epochs=200).describe()
    other = outcome(model="resnet56_cifar")
    assert other.published is not None
    assert other.published["error"] == 6.97
    assert "the paper has none for vgg16" in outcome(model="vgg16").describe()


def test_other_data_are_not_compared():
    for elsewhere in (outcome(data="digits"), outcome(data="cifar100")):
        assert elsewhere.is_inside is None
        assert "the paper's is for cifar10, and is not comparable" in elsewhere.describe()
    assert outcome(data="my-cifar-folder", named=False).is_inside  # ten classes, of the user


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 32, 32, 3), np.uint8)
    data = {split: (images, np.arange(40) % 10) for split in ("train", "val", "test")}
    notes = Notes()
    made = convscope.train(
        data, recipe="resnet-cifar10", epochs=1, engine="torch", duplicates="allow",
        out=tmp_path_factory.mktemp("recipe") / "run", progress=False, callbacks=[notes],
    )  # fmt: skip
    return made, notes.texts


class Notes(convscope.Callback):
    def __init__(self):
        self.texts = []

    def on_message(self, event):
        self.texts.append(event.text)


def test_a_run_ends_with_its_result_beside_the_papers(result):
    made, notes = result
    told = made.recipe.describe()
    assert "published 8.75%" in told
    assert "shortened: 1 of 182 epochs" in told
    assert told in repr(made)
    assert "published 8.75%" in made._repr_html_()
    assert "published 8.75%" in (made.run / "report.html").read_text("utf-8")
    written = json.loads((made.run / "recipe.json").read_text("utf-8"))
    assert written == json.loads(json.dumps(made.recipe.to_dict()))
    assert written["shortened"] is True
    assert written["interval"][0] <= written["error"] <= written["interval"][1]
    assert any(note.startswith("Recipe resnet-cifar10: ResNet-20") for note in notes)
    assert not any("has no effect" in note for note in notes)
    assert 'recipe = "resnet-cifar10"' in (made.run / "config.toml").read_text()


def test_a_run_whose_recipe_is_gone_is_read_all_the_same(result, monkeypatch):
    monkeypatch.setattr("convscope.training.recipe.list_recipes", list)
    again = convscope.resume(result[0].run, progress=False)
    assert again.recipe is None


def test_the_command_lists_and_describes(command):
    listed = command("recipes").stdout
    for name in list_recipes():
        assert f"  {name} " in listed
    shown = command("recipes", "wrn-cifar10").stdout
    assert "crop_padding_mode  reflect" in shown
    assert "wrn28_10: 4.00% (median of 5 runs" in shown
    assert json.loads(command("recipes", "wrn-cifar10", "--json").stdout)["classes"] == 10
    assert "Did you mean 'wrn-cifar10'" in command("recipes", "wrn-cifar", code=2).stderr


def test_a_flag_wins_over_the_recipe_and_a_file_too(command, tmp_path):
    (tmp_path / "mine.toml").write_text('recipe = "lenet5-mnist"\nlr = 0.001\n')
    done = command(
        "train", "digits", "--config", tmp_path / "mine.toml", "--batch-size", 600, "--epochs", 1,
        "--model", "lenet5", "--json", cwd=tmp_path,
    )  # fmt: skip
    told = json.loads(done.stdout)["recipe"]
    assert told["changed"] == [
        "model lenet5 for lenet5_1998", "batch_size 600 for 1", "lr 0.001 for 0.0005",
    ]  # fmt: skip
    assert told["inside"] is None
    assert "Its figures are for mnist, not for digits" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", list_recipes())
def test_one_step_runs(name, tmp_path):
    recipe = read_recipe(name)
    entry = ZOO[recipe.settings["model"]]
    random = np.random.default_rng(0)
    size = (260, 260) if recipe.classes == 1000 else entry.input_size
    without = {"pretrained": False} if "pretrained" in recipe.settings else {}
    images = random.integers(0, 256, (12, *size, entry.in_channels), np.uint8)
    labels = np.arange(12) % 2
    made = convscope.train(
        dict.fromkeys(("train", "val", "test"), (images, labels)),
        recipe=name, **without, steps=1, batch_size=2, engine="torch", duplicates="allow",
        out=tmp_path / "run", progress=False,
    )  # fmt: skip
    assert made.recipe.is_shortened
    assert np.isfinite(made.test.loss)


def test_the_page_is_written_from_the_files():
    assert PAGE.read_text("utf-8") == write(), "run scripts/recipes.py"
