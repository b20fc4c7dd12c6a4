"""The examples of docs/deployment say what convscope and the other programs understand."""

import re
import tomllib
from pathlib import Path

import pytest

from convscope.cli import make_app

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "docs" / "deployment"
FLAGS = {
    flag
    for argument in make_app()["serve"].assemble_argument_collection()
    for flag in argument.names
}


def documents(name):
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all((FILES / name).read_text()))


def test_requirements_are_those_of_the_package_without_pytorch():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {*project["dependencies"], *project["optional-dependencies"]["serve"]}
    listed = (FILES / "requirements.txt").read_text().splitlines()[1:]
    assert sorted(listed) == listed
    assert {*listed} == {one for one in needed if not one.startswith("torch")}


@pytest.mark.parametrize("name", ["Dockerfile", "kubernetes.yaml", "kserve.yaml"])
def test_every_flag_exists(name):
    text = (FILES / name).read_text()
    found = re.findall(r'"(--[a-z-]+)"', text)
    assert found
    assert {*found} <= FLAGS | {"--timeout"}


def test_the_deployment_drains_before_it_is_killed_and_probes_paths_that_need_no_token(server):
    deployment, service, budget = documents("kubernetes.yaml")
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert budget["spec"]["selector"]["matchLabels"] == labels
    drain = int(container["args"][container["args"].index("--drain") + 1])
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["spec"]["terminationGracePeriodSeconds"] > drain + 5 + pause
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server.ask("GET", container[probe]["httpGet"]["path"]).status == 200
    (kserve,) = documents("kserve.yaml")
    (container,) = kserve["spec"]["predictor"]["containers"]
    assert server.ask("GET", container["readinessProbe"]["httpGet"]["path"]).status == 200
    assert container["args"][1] == kserve["metadata"]["name"]


def test_triton_s_configuration_fits_the_exported_network(exports):
    definitions = pytest.importorskip("tritonclient.grpc.model_config_pb2")
    text_format = pytest.importorskip("google.protobuf.text_format")
    onnxruntime = pytest.importorskip("onnxruntime")
    text = (FILES / "config.pbtxt").read_text()
    config = text_format.Parse(text, definitions.ModelConfig())
    session = onnxruntime.InferenceSession(
        exports / "first" / "images.onnx", providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    (wanted,) = config.input
    assert (wanted.name, given.type) == (given.name, "tensor(uint8)")
    assert wanted.data_type == definitions.DataType.Value("TYPE_UINT8")
    assert len(wanted.dims) == len(given.shape)
    assert [*wanted.dims][-1] == given.shape[-1]
    output = {one.name: one for one in session.get_outputs()}[config.output[0].name]
    assert [*config.output[0].dims][-1] == output.shape[-1]
