"""TABLE against torchvision's own, and against the zoo."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.errors import RequestError
from convscope.weights.torchvision_releases import MEAN_AND_STD, release, releases
from convscope.zoo import ZOO

THEIRS = {"alexnet_2014": "alexnet", "googlenet_bn": "googlenet"}  # where our name is another


@pytest.mark.parametrize("row", releases(), ids=lambda row: f"{row.network}.{row.weights}")
def test_each_row_is_torchvisions(row):
    weights = models.get_model_weights(row.network)[row.weights]
    their = weights.transforms()
    assert row.remote.urls == (weights.url,)
    assert (row.card.resize_size, row.card.input_size) == (
        their.resize_size[0],
        tuple(their.crop_size * 2),
    )
    assert row.card.interpolation == their.interpolation.value
    assert MEAN_AND_STD["imagenet"] == (tuple(their.mean), tuple(their.std))
    assert len(row.card.classes) == len(weights.meta["categories"])
    assert len(row.sha256) == 8
    assert int(row.sha256, 16)


def test_all_of_torchvisions_for_the_zoo_are_there():
    networks = {
        THEIRS.get(name, name) for name, entry in ZOO.items() if entry.torchvision_names is not None
    }
    known = {
        (network, weights.name)
        for network in networks
        for weights in models.get_model_weights(network)
        if weights.meta["categories"] is not None  # VGG-16's FEATURES have no classifier
    }
    assert {(row.network, row.weights) for row in releases()} == known


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_a_picture_comes_to_the_network_as_torchvision_brings_it(name):
    weights = models.get_model_weights(name).DEFAULT
    card = release(name).card
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    theirs = weights.transforms()(picture)[None]
    if name == "googlenet":
        inside = models.GoogLeNet(transform_input=True, init_weights=False, aux_logits=False)
        theirs = inside._transform_input(theirs)
    ours = normalize(torch.tensor(resize_image(picture, card))[None], card)
    one_level = 1 / 255 / min(card.std)
    assert (ours - theirs).abs().max() <= 1.01 * one_level


def test_the_first_release_is_meant_where_none_is_said():
    assert release("resnet50").weights == "IMAGENET1K_V1"
    assert release("resnet50.IMAGENET1K_V1") == release("resnet50")
    assert release("resnet50.IMAGENET1K_V2").card.resize_size == 232


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(RequestError, match="Did you mean 'resnet50'"):
        release("resnet5")
    with pytest.raises(RequestError, match=r"Did you mean 'resnet18.IMAGENET1K_V1'"):
        release("resnet18.IMAGENET1K_V2")
