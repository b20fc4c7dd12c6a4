"""Networks of timm and torchvision on the command line, from a table to a run that resumes."""

import pytest

pytest.importorskip("timm")

SMALL = "timm:mobilenetv3_small_050"


def test_a_network_of_timm_is_trained_and_its_run_used(command, image_folder, tmp_path):
    run = tmp_path / "run"
    settings = ["--model", SMALL, "--input-size", 32, "--epochs", 1, "--engine", "torch"]
    trained = command("train", image_folder, *settings, "--out", run)
    assert "mobilenetv3_small_050" in trained.stdout
    image = next(image_folder.rglob("*.png"))
    assert str(image) in command("predict", run, image, "--format", "csv").stdout
    assert "epoch   2/2" in command("resume", run, "--epochs", 2).stdout


@pytest.mark.parametrize("model", [SMALL, "torchvision:squeezenet1_1"])
def test_a_library_s_network_has_a_table_of_layers(command, model):
    assert "total" in command("summary", model, "--input-size", 64).stdout


def test_a_misspelt_network_of_a_library_is_refused_by_name(command, image_folder):
    refused = command("train", image_folder, "--model", "timm:resnet181", code=2).stderr
    assert "timm:resnet18" in refused
