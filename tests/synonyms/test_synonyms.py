"""Other people's names: every word of the tables is alive, and means one thing."""

import re

import pytest
import torch

import convscope
from convscope import synonyms
from convscope.cli import COMMANDS, make_app
from convscope.cli.arguments import options_of
from convscope.cli.messages import in_flags
from convscope.errors import ConvscopeError, RequestError
from convscope.synonyms import elsewhere, names, settings
from convscope.training.config import TrainConfig
from convscope.training.setting import settings_of
from convscope.zoo import ZOO

APP = make_app()
OPTIONS = {name: options_of(APP[name].assemble_argument_collection()) for name in COMMANDS}
EVERY = set().union(*OPTIONS.values())


def test_every_name_in_the_table_of_settings_is_an_option_of_some_command():
    assert settings.SYNONYMS.keys() <= EVERY
    assert {option for option, _ in settings.PRESETS.values()} <= EVERY
    assert settings.VALUES.keys() | settings.VALUE_SENTENCES.keys() <= EVERY


@pytest.mark.parametrize("option", settings_of(TrainConfig))
def test_a_synonym_of_a_setting_means_that_setting(option):
    for word in settings.SYNONYMS.get(option, "").split():
        try:
            meaning = synonyms.meaning(word, OPTIONS["train"])
        except RequestError as error:
            assert "could be" in str(error)  # noqa: PT017
        else:
            assert meaning is not None
            assert meaning.name == option or synonyms.key(word) == synonyms.key(meaning.name)


def _has_sentence(word, command):
    try:
        synonyms.meaning(word, OPTIONS[command], command)
    except RequestError as error:
        return "There is no" in str(error)
    return False


def test_no_sentence_is_hidden_by_a_synonym_and_no_word_has_two():
    for table, command in [
        (elsewhere.SENTENCES, "train"),
        *((table, name) for name, table in elsewhere.OF_COMMANDS.items()),
    ]:
        words = [word for text in table.values() for word in text.split()]
        keys = [synonyms.key(word) for word in words]
        assert len(keys) == len(set(keys)), sorted({key for key in keys if keys.count(key) > 1})
        assert [word for word in words if not _has_sentence(word, command)] == []


def test_a_sentence_names_only_flags_that_its_command_has():
    for table, command in [
        (elsewhere.SENTENCES, "train"),
        (elsewhere.WITHOUT_EFFECT, "train"),
        *((table, "train") for table in settings.VALUE_SENTENCES.values()),
        *((table, name) for name, table in elsewhere.OF_COMMANDS.items()),
    ]:
        known = {option.flag for option in OPTIONS[command].values()}
        for sentence in table:
            assert set(re.findall(r"(?<![\w-])--[a-z-]+", in_flags(sentence))) <= known, sentence
            assert sentence.endswith(".")


def test_what_another_command_takes_is_not_answered_with_flags_that_it_has_not():
    with pytest.raises(RequestError, match=r"There is no `amp`\. The network computes in 32-bit"):
        synonyms.meaning("amp", OPTIONS["evaluate"], "evaluate")
    assert synonyms.meaning("mixup", OPTIONS["evaluate"], "evaluate") is None


@pytest.mark.parametrize(
    ("given", "translated"),
    [
        ({"learning_rate": 0.1, "Batch-Size": 8}, {"lr": 0.1, "batch_size": 8}),
        ({"lr_scheduler": "ReduceLROnPlateau"}, {"lr_schedule": "plateau"}),
        (
            {"opt": "SGD", "metric_for_best_model": "accuracy"},
            {"optimizer": "sgd", "metric": "top1"},
        ),
        ({"cos_lr": True, "no_aug": False}, {"lr_schedule": "cosine"}),
        ({"amp": True, "amp_dtype": "bfloat16"}, {"precision": "bf16"}),
        ({"mixed_precision": "bf16-mixed", "amp": False}, {"precision": "bf16"}),
        ({"precision": 32, "bf16": False}, {"precision": "float32"}),
        ({"dtype": torch.bfloat16}, {"precision": "bf16"}),
        ({"dtype": torch.float16, "fp16": True}, {"precision": "fp16"}),
        ({"precision": 16}, {"precision": "fp16"}),
        ({"imgsz": "64x64"}, {"input_size": "64"}),
        ({"num_workers": 4}, {}),
        ({"nobody_knows": 1}, {"nobody_knows": 1}),
    ],
)
def test_settings_are_translated_by_name_and_value(given, translated):
    assert synonyms.translate(given, settings_of(TrainConfig))[0] == translated


def test_what_is_not_obvious_is_said():
    known = settings_of(TrainConfig)
    values, notes = synonyms.translate({"patience": 5, "workers": 2}, known)
    assert values == {"early_stopping_patience": 5}
    assert ["lr_patience" in notes[0], "no effect" in notes[1]] == [True, True]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": 1, "lr0": 2}, "`lr` and `lr0` are the same"),
        ({"patience": 3, "scheduler": "plateau"}, "`lr_patience`.* or `early_stopping_patience`"),
        (
            {"optimizer": "Adam"},
            r"There is no `optimizer=Adam`\. It is adamw with `weight_decay=0`\.",
        ),
        ({"amp": True, "amp_dtype": "float32"}, "`amp` and `amp_dtype` are the same"),
        ({"loss_scale": 128}, "which scales the loss by itself"),
        ({"drop_by": 10}, "for 10, write `lr_gamma=0.1`"),
        ({"transfer_learning": True}, "Pretrained weights are named"),
        ({"unfreeze": True}, "body is all but the last"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, message):
    with pytest.raises(RequestError, match=message):
        synonyms.translate(given, settings_of(TrainConfig))


def test_adamw_without_weight_decay_is_adam_as_the_sentence_says():
    torch.manual_seed(0)
    start, results = torch.randn(5), []
    for kind in (torch.optim.Adam, torch.optim.AdamW):
        weight = start.clone().requires_grad_()
        optimizer = kind([weight], lr=0.1, weight_decay=0)
        for _ in range(5):
            optimizer.zero_grad()
            (weight**4).sum().backward()
            optimizer.step()
        results.append(weight.detach())
    assert torch.equal(*results)


def test_every_name_of_a_command_means_one_command():
    words = [word for table in (names.COMMANDS, names.COMMANDS_ELSEWHERE) for text in table.values()
             for word in text.split()]  # fmt: skip
    keys = [synonyms.key(word) for word in words]
    assert names.COMMANDS.keys() == COMMANDS.keys()
    assert not set(keys) & {synonyms.key(name) for name in COMMANDS}
    for name, text in names.COMMANDS.items():
        assert {synonyms.command(word) for word in text.split()} == {name}
    for sentence, text in names.COMMANDS_ELSEWHERE.items():
        for word in text.split():
            with pytest.raises(RequestError, match=re.escape(sentence)):
                synonyms.command(word)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("resnet-18", "resnet18"), ("ResNet18", "resnet18"), ("resnet_18", "resnet18"),
        ("vgg-16", "vgg16"), ("VGG16", "vgg16"), ("VGG-16-BN", "vgg16_bn"), ("lenet", "lenet5"),
        ("LeNet-5", "lenet5"), ("alex", "alexnet"), ("AlexNet", "alexnet"),
        ("densenet-121", "densenet121"), ("GoogLeNet", "googlenet"),
        ("inception_v1", "googlenet"), ("Wide-ResNet-50-2", "wide_resnet50_2"),
        ("WRN-28-10", "wrn28_10"), ("resnext50-32x4d", "resnext50_32x4d"),
        ("SqueezeNet1.1", "squeezenet1_1"), ("resnet20", "resnet20_cifar"),
        ("DenseNet-BC-100-12", "densenet100_12_bc"), ("resnet", None), ("vgg", None),
        ("yolov8n", None),
    ],
)  # fmt: skip
def test_a_network_is_found_by_the_names_that_people_give_it(written, name):
    assert synonyms.model(written, ZOO) == name


def test_every_network_is_found_by_its_own_name_and_the_table_names_networks():
    assert [synonyms.model(name.upper().replace("_", "-"), ZOO) for name in ZOO] == list(ZOO)
    assert names.MODELS.keys() <= ZOO.keys()
    keys = [synonyms.key(word) for text in names.MODELS.values() for word in text.split()]
    assert not {key for key in keys if keys.count(key) > 1}
    assert not set(keys) & {synonyms.key(name) for name in ZOO}


def test_functions_of_the_package_are_named_where_they_are_asked_for_by_other_names():
    for name, message in (
        ("fit", "It is convscope.train here"), ("val", "It is convscope.evaluate here"),
        ("trian", "Did you mean 'train'"), ("available_models", "convscope.list_models"),
    ):  # fmt: skip
        with pytest.raises(AttributeError, match=message):
            getattr(convscope, name)
    with pytest.raises(AttributeError, match=r"no attribute 'zebra'\.$"):
        convscope.zebra  # noqa: B018


def test_earlier_names_of_functions_and_keywords_still_work():
    net = convscope.build("lenet5", classes=3, channels=3, input=(40, 40))
    assert net.get_submodule("fc2").out_features == 3
    assert net.get_submodule("conv1").in_channels == 3
    assert convscope.build is convscope.create_model
    assert callable(convscope.load_network)


def test_a_keyword_that_nobody_knows_is_a_type_error_with_the_nearest():
    with pytest.raises(TypeError, match=r"'num_clases'. Did you mean 'num_classes'"):
        convscope.create_model("lenet5", num_clases=3)
    with pytest.raises(ConvscopeError, match="`classes` and `num_classes` are the same"):
        convscope.create_model("lenet5", classes=3, num_classes=3)
