"""The files for clusters: read by what reads them there, as far as that is here."""

import ast
import inspect
import re
import subprocess

import yaml

import convscope
from convscope.training.config import TrainConfig
from convscope.training.setting import settings_of
from tests.docs.examples import ROOT

FOLDER = ROOT / "docs" / "clusters"
OF_POD = {"containers", "volumes"}
OF_JOB = {"nprocPerNode", "elasticPolicy", "runPolicy", "pytorchReplicaSpecs"}
OF_ELASTIC = {"rdzvBackend", "minReplicas", "maxReplicas", "maxRestarts"}


def check_words(words: list[str]) -> None:
    """A command whose flags and settings exist."""
    flags = [word.removeprefix("--").replace("-", "_") for word in words if word.startswith("--")]
    assert flags
    assert {*flags} <= {*settings_of(TrainConfig), "out"}


def test_the_batch_script_is_bash_and_its_options_are_those_of_sbatch() -> None:
    path = FOLDER / "train.sbatch"
    subprocess.run(["bash", "-n", path], check=True)
    text = path.read_text("utf-8")
    options = re.findall(r"^#SBATCH --([a-z-]+)(?:=\S+)?$", text, re.MULTILINE)
    assert len(options) == text.count("#SBATCH")
    assert {*options} <= {
        "job-name", "nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task", "time", "signal",
        "requeue", "open-mode", "output",
    }  # fmt: skip
    assert text.index("#SBATCH") < text.index("\nset -u")  # after a command none is read
    example = re.search(r"train\.sbatch (--.*)", text)
    assert example is not None
    check_words(example[1].split())


def test_the_job_for_kubernetes_has_the_fields_of_the_operator() -> None:
    """As in kubeflow.org/v1, kubeflow.org_pytorchjobs.yaml; the whole was checked by its schema."""
    job = yaml.safe_load((FOLDER / "pytorchjob.yaml").read_text("utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    spec = job["spec"]
    assert {*spec} == OF_JOB
    assert {*spec["elasticPolicy"]} == OF_ELASTIC
    assert isinstance(spec["nprocPerNode"], str)
    pod = spec["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]
    assert {*pod} == OF_POD
    [container] = pod["containers"]
    assert container["name"] == "pytorch"
    assert container["command"][:4] == ["torchrun", "-m", "convscope", "train"]
    assert int(spec["nprocPerNode"]) == container["resources"]["limits"]["nvidia.com/gpu"]
    check_words(container["args"])
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_the_program_for_ray_trains_with_settings_that_exist() -> None:
    tree = ast.parse((FOLDER / "ray_train.py").read_text("utf-8"))
    [settings] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SETTINGS"
    ]
    assert {*settings} <= {*settings_of(TrainConfig)}
    assert {"data", "out"} <= {*inspect.signature(convscope.train).parameters}
