"""Whose names a file uses, tried with the names of whole libraries."""

import pytest
import timm
import torch
from torchvision import models

from convscope.errors import RequestError
from convscope.weights.names import match_names
from convscope.zoo import ZOO, create_model
from tests.reference.families import each_network
from tests.reference.peer import torchvision_on_meta

THEIRS = {"alexnet_2014": "alexnet", "googlenet_bn": "googlenet"}
KNOWN = [name for name, entry in ZOO.items() if entry.torchvision_names is not None]


def names_of(create, name: str) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        return create(name).state_dict()


def torchvision_net(name: str) -> torch.nn.Module:
    more = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    return torchvision_on_meta(name, **more)


@pytest.mark.parametrize("name", each_network(KNOWN))
def test_torchvisions_names_are_ours_one_for_one(name):
    own = names_of(create_model, name)
    theirs = names_of(torchvision_net, THEIRS.get(name, name))
    match = match_names(theirs, own, source="x")
    assert sorted(match.theirs.values()) == sorted(theirs)
    assert {ours: own[ours].shape for ours in own} == {
        ours: theirs[their].shape for ours, their in match.theirs.items()
    }
    assert match.convention.startswith("torchvision's of ")
    assert name in match.convention
    assert match.left_out == ()


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d", "wide_resnet50_2", "densenet121"])
def test_timms_names_are_torchvisions(name):
    match = match_names(names_of(timm.create_model, name), names_of(create_model, name), source="x")
    assert name in match.convention


@pytest.mark.parametrize("name", ["vgg11", "vgg16", "vgg19_bn"])
def test_timms_vgg_has_names_of_its_own(name):
    match = match_names(names_of(timm.create_model, name), names_of(create_model, name), source="x")
    dense = {ours: theirs for ours, theirs in match.theirs.items() if ours.startswith("fc")}
    assert dense["fc1.weight"] == "pre_logits.fc1.weight"
    assert dense["fc3.bias"] == "head.fc.bias"


def test_equal_names_are_taken_as_they_are():
    own = names_of(create_model, "tinyvgg")
    match = match_names(own, own, source="x")
    assert (match.convention, list(match.theirs)) == ("equal", list(own))


def test_torchvisions_own_network_takes_torchvisions_old_and_timms_names():
    own = names_of(torchvision_net, "vgg11")
    match = match_names(names_of(timm.create_model, "vgg11"), own, source="x")
    assert match.theirs["classifier.6.bias"] == "head.fc.bias"


def old_densenet(name: str) -> str:
    """A name of today's as torchvision's released files have it."""
    for layer in ("norm", "conv"):
        for place in "12":
            name = name.replace(f".{layer}{place}.", f".{layer}.{place}.")
    return name


@pytest.mark.parametrize("network", [create_model, torchvision_net], ids=["ours", "torchvision's"])
def test_densenets_old_files_are_understood_and_may_lack_counters(network):
    own = names_of(network, "densenet121")
    today = [n for n in names_of(torchvision_net, "densenet121") if "num_batches" not in n]
    old = [old_densenet(name) for name in today]
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    match = match_names(old, own, source="x")
    assert sorted(match.theirs.values()) == sorted(old)
    assert {name for name in own if name not in match.theirs} == {
        name for name in own if name.endswith("num_batches_tracked")
    }


def test_auxiliary_heads_that_the_network_has_not_are_left_out_by_name():
    def with_heads(name):
        return models.get_model(name, aux_logits=True, init_weights=False)

    match = match_names(
        names_of(with_heads, "googlenet"), names_of(create_model, "googlenet_bn"), source="x"
    )
    assert match.left_out == ("aux1", "aux2")
    assert not any(theirs.startswith("aux") for theirs in match.theirs.values())


def test_what_disagrees_is_named_with_the_names_that_come_closest():
    theirs = names_of(torchvision_net, "resnet34")
    with pytest.raises(RequestError) as caught:
        match_names(theirs, names_of(create_model, "resnet18"), source="mine.pth")
    told = str(caught.value)
    assert told.startswith("mine.pth has the weights of another network")
    assert "layer1.2.conv1.weight" in told
    assert " more, unknown to the network" in told
    assert "torchvision's of resnet" in told


@pytest.mark.parametrize("change", ["lacking", "twice"])
def test_every_parameter_must_be_there_once(change):
    own = names_of(create_model, "densenet121")
    theirs = list(names_of(torchvision_net, "densenet121"))
    twice = "features.denseblock1.denselayer1.norm.1.weight"
    theirs = theirs[1:] if change == "lacking" else [*theirs, twice]
    with pytest.raises(
        RequestError, match="lacks conv1" if change == "lacking" else "has features"
    ):
        match_names(theirs, own, source="x")


def test_a_counter_that_the_network_has_not_is_one_too_many():
    own = [name for name in names_of(create_model, "resnet18") if "num_batches" not in name]
    with pytest.raises(RequestError, match="num_batches_tracked"):
        match_names(names_of(create_model, "resnet18"), own, source="x")
