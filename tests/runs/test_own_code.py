"""A run executes nothing by itself: code that it names is imported where the caller says so."""

import importlib.util
import os
import py_compile
import shutil
import socket
import sys
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tomli_w
import torch
from fastapi.testclient import TestClient
from PIL import Image

import convscope
from convscope.comparison.costs import closed_network, summary_of_run
from convscope.errors import ConsentError, RequestError
from convscope.runs import own_code, signature
from convscope.runs.folder import Run
from convscope.runs.own_code import Consent
from convscope.webapp.inspect.open_run import RunOpener
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.jobs.processes import Processes
from convscope.webapp.lab import make_server
from convscope.webapp.server import make_app

NETS = """
from pathlib import Path
from torch import nn
import {package}parts
Path({marker!r}).touch()

class Net(nn.Module):
    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.conv = {package}parts.conv(in_channels)
        self.fc = nn.Linear(400, num_classes)

    def forward(self, x):
        return self.fc(self.conv(x).relu().flatten(1))
"""
PARTS = """
from torch import nn
def conv(channels):
    return nn.Conv2d(channels, 4, 5, stride=3)
"""
IMAGE = np.zeros((32, 32), np.uint8)
TRAINING = dict(input_size=32, in_channels=1, steps=2, batch_size=64, threads=1, engine="torch")
OWN = ("mynets", "parts", "mypackage", "mypackage.nets", "mypackage.parts")


class Place:
    """A project with a module of its own, and a run that was trained with it."""

    def __init__(self, root: Path, run: Path, marker: Path) -> None:
        self.root, self.run, self.marker = root, run, marker

    @property
    def ran(self) -> bool:
        return self.marker.exists()

    def write(self, folder: Path, text: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        nets = NETS.format(marker=str(self.marker), package="")
        (folder / "mynets.py").write_text(nets + text)
        (folder / "parts.py").write_text(PARTS)

    def config(self, **changes: object) -> None:
        """Change the run's config; `network` replaces keys of its table."""
        path = self.run / "config.toml"
        config = tomllib.loads(path.read_text())
        network = changes.pop("network", {})
        config["network"] = {**config.get("network", {}), **network}
        path.write_text(tomli_w.dumps({**config, **changes}))


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A process that has named no code, and has imported none of it."""
    monkeypatch.setattr(own_code, "_named", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = list(sys.meta_path)
    yield
    forget()
    assert sys.meta_path == before


def forget() -> None:
    for name in OWN:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project whose run was trained by its name. Copy it."""
    root = tmp_path_factory.mktemp("project")
    place = Place(root, root / "run", root / "ran")
    place.write(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(sys, "path", [*sys.path])
        convscope.train("digits", model="mynets:Net", out=root / "run", progress=False, **TRAINING)
    forget()
    return place


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """A copy of the run, alone in a folder, with its code where it was; somewhere else is here."""
    shutil.copytree(trained.run, tmp_path / "runs" / "run")
    trained.marker.unlink(missing_ok=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Place(tmp_path, tmp_path / "runs" / "run", trained.marker)


VERBS = {
    "load": convscope.load,
    "predict": lambda run, **consent: convscope.predict(run, IMAGE, **consent),
    "evaluate": convscope.evaluate,
    "resume": lambda run, **consent: convscope.resume(run, steps=3, progress=False, **consent),
    "explain": lambda run, trust=False: convscope.explain(run, IMAGE, trust=trust),
    "summary": lambda run, trust=False: convscope.summary(run, trust=trust),
    "lab": lambda run, trust=False: ModelStore().open(run, consent=Consent(trust=trust)),
}
NAMING = ("load", "predict", "evaluate", "resume")  # those that take `model`


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_imports_nothing_by_itself_and_what_the_caller_allows(place, trained, verb):
    files = {*place.run.rglob("*")}
    with pytest.raises(ConsentError, match="code of its own, mynets:Net") as error:
        VERBS[verb](place.run)
    assert str(trained.root / "mynets.py") in str(error.value)
    assert not place.ran
    assert "mynets" not in sys.modules
    assert files == {*place.run.rglob("*")}
    before = list(sys.path)
    VERBS[verb](place.run, trust=True)
    assert place.ran
    assert sys.path == before


@pytest.mark.parametrize("verb", NAMING)
def test_code_that_the_caller_names_is_imported_from_here(place, verb):
    with pytest.raises(RequestError, match="no module 'mynets'"):  # the run's folder is not asked
        VERBS[verb](place.run, model="mynets:Net")
    place.write(Path.cwd())
    importlib.invalidate_caches()
    VERBS[verb](place.run, model="mynets:Net")
    assert place.ran


def in_the_run(place):
    place.write(place.run)
    place.config(network={"folder": str(place.run)})


def in_a_folder_of_the_run(place):
    place.write(place.run / "code")
    place.config(network={"folder": str(place.run / "code")})


def in_the_run_which_is_here(place):
    in_the_run(place)
    os.chdir(place.run)  # the fixture goes back
    place.config(network={"folder": "/nowhere"})


def by_links_to_the_run(place):
    in_the_run(place)
    for name in ("mynets.py", "parts.py"):
        (Path.cwd() / name).symlink_to(place.run / name)
    place.config(network={"folder": str(Path.cwd())})


def by_links_in_the_run(place):
    place.write(place.root / "outside")
    for name in ("mynets.py", "parts.py"):
        (place.run / name).symlink_to(place.root / "outside" / name)
    place.config(network={"folder": str(place.run)})


def by_a_link_to_the_run_folder(place):
    in_the_run(place)
    (place.root / "code").symlink_to(place.run)
    place.config(network={"folder": str(place.root / "code")})


INSIDE = (
    in_the_run,
    in_a_folder_of_the_run,
    in_the_run_which_is_here,
    by_links_to_the_run,
    by_links_in_the_run,
    by_a_link_to_the_run_folder,
)


@pytest.mark.parametrize("put", INSIDE)
@pytest.mark.parametrize("consent", [{}, {"trust": True}, {"model": "mynets:Net"}])
def test_code_inside_a_run_is_never_imported(place, put, consent):
    put(place)
    if consent.get("model"):
        sys.path.insert(0, Run(place.run).read_config()["network"]["folder"])
    with pytest.raises(ConsentError, match="inside the run" if consent else "code of its own"):
        convscope.load(place.run, **consent)
    assert not place.ran


@pytest.mark.parametrize("put", [in_the_run, by_links_to_the_run])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("trust", [False, True])
def test_no_verb_imports_from_a_run(place, put, verb, trust):
    put(place)
    with pytest.raises(ConsentError):
        VERBS[verb](place.run, trust=trust)
    assert not place.ran


def test_a_package_cannot_lead_into_a_run(place):
    package = Path.cwd() / "mypackage"
    package.mkdir()
    (package / "__init__.py").write_text(f"__path__ = [{str(place.run)!r}]\n")
    place.write(place.run)
    (place.run / "mynets.py").rename(place.run / "nets.py")
    with pytest.raises(ConsentError, match="inside the run"):
        convscope.load(place.run, model="mypackage.nets:Net")
    assert not place.ran


def test_a_package_whose_init_lies_in_a_run_is_not_imported(place):
    (place.run / "mypackage").mkdir()
    (place.run / "mypackage" / "__init__.py").write_text(f"open({str(place.marker)!r}, 'w')")
    (place.run / "mypackage" / "nets.py").write_text(PARTS)
    sys.path.insert(0, str(place.run))
    with pytest.raises(ConsentError, match="inside the run"):
        convscope.load(place.run, model="mypackage.nets:conv")
    assert not place.ran


def test_what_is_imported_already_from_a_run_builds_no_network(place):
    place.write(place.run)
    spec = importlib.util.spec_from_file_location("mynets", place.run / "mynets.py")
    sys.modules["mynets"] = importlib.util.module_from_spec(spec)
    with pytest.raises(ConsentError, match="inside the run"):
        convscope.load(place.run, model="mynets:Net")


@pytest.mark.parametrize("name", ["mynets.py", "parts.py"])
def test_a_changed_source_is_refused_or_noted(place, name):
    place.write(Path.cwd())
    with Path(name).open("a") as file:
        file.write("# changed\n")
    place.config(network={"folder": str(Path.cwd())})
    with pytest.raises(ConsentError, match=rf"{name}.*not the source"):
        convscope.load(place.run, trust=True)
    assert not place.ran
    forget()
    with pytest.warns(UserWarning, match=f"another source of {name[:-3]}"):
        convscope.load(place.run, model="mynets:Net")
    notes = convscope.predict(place.run, IMAGE, model="mynets:Net").notes
    assert f"another source of {name[:-3]}" in " ".join(notes)


def test_the_same_source_by_another_name_is_no_other_source(place, recwarn):
    place.write(Path.cwd())
    shutil.copy("mynets.py", "renamed.py")
    convscope.load(place.run, model="renamed:Net")
    assert not [each for each in recwarn if "another source" in str(each.message)]


def test_the_script_that_trained_is_none_of_the_sources(place, monkeypatch):
    place.write(Path.cwd())
    script = ModuleType("__main__")  # by both names that it has once multiprocessing is imported
    script.__file__ = str(Path.cwd() / "script.py")
    Path("script.py").touch()
    monkeypatch.setitem(sys.modules, "__main__", script)
    monkeypatch.setitem(sys.modules, "__mp_main__", script)
    convscope.train("digits", model="mynets:Net", out="own", progress=False, **TRAINING)
    files = Run(Path("own")).read_config()["network"]["files"]
    assert [each["module"] for each in files] == ["mynets", "parts"]


def test_recorded_code_is_found_where_it_is_now(place):
    place.write(Path.cwd())
    place.config(network={"folder": "/moved"})
    convscope.load(place.run, trust=True)
    assert sys.modules["mynets"].__file__ == str(Path.cwd() / "mynets.py")


def test_the_place_with_the_recorded_source_is_taken(place):
    place.write(Path.cwd())
    place.write(place.root / "changed", "# changed\n")
    place.config(network={"folder": str(place.root / "changed")})
    convscope.load(place.run, trust=True)
    assert sys.modules["mynets"].__file__ == str(Path.cwd() / "mynets.py")


def test_compiled_modules_are_compared_too(place):
    place.write(Path.cwd())
    file = "parts" + EXTENSION_SUFFIXES[0]
    Path("parts.py").rename(file)
    files = [
        {**each, "file": file} if each["module"] == "parts" else each
        for each in Run(place.run).read_config()["network"]["files"]
    ]
    place.config(network={"folder": str(Path.cwd()), "files": files})
    Path(file).write_bytes(b"other")
    with pytest.raises(ConsentError, match=r"parts.*not the source"):
        convscope.load(place.run, trust=True)


def test_code_that_is_not_found_is_told_with_where_it_was(place):
    place.config(network={"folder": "/moved"})
    for consent in ({}, {"trust": True}):
        with pytest.raises(ConsentError, match=r"/moved/mynets.py"):
            convscope.load(place.run, **consent)


def test_bytecode_beside_a_source_is_not_believed(place):
    place.write(Path.cwd())
    other = place.root / "other.py"
    other.write_text(f"open({str(place.root / 'cached')!r}, 'w')\n")
    py_compile.compile(
        str(other),
        importlib.util.cache_from_source("mynets.py"),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    place.config(network={"folder": str(Path.cwd())})
    convscope.load(place.run, trust=True)
    assert place.ran
    assert not (place.root / "cached").exists()


def test_trust_covers_the_recorded_modules_alone(place):
    config = Run(place.run).read_config()["network"]
    place.config(network={"files": [each for each in config["files"] if each["module"] != "parts"]})
    with pytest.raises(RequestError, match="No module named 'parts'"):
        convscope.load(place.run, trust=True)
    assert not place.ran


PACKAGES = {
    "package": ("mypackage/__init__.py", "mypackage/parts.py", "mypackage/nets.py"),
    "namespace": ("mypackage/parts.py", "mypackage/nets.py"),
}


@pytest.fixture(params=PACKAGES)
def package(request, place):
    """A place whose code lies in a package."""
    for file in PACKAGES[request.param]:
        path = Path.cwd() / "code" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        nets = NETS.format(marker=str(place.marker), package="mypackage.")
        path.write_text({"nets.py": nets, "parts.py": PARTS, "__init__.py": ""}[path.name])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        patch.chdir("code")
        model, out = "mypackage.nets:Net", place.root / "packaged"
        convscope.train("digits", model=model, out=out, progress=False, **TRAINING)
    forget()
    own_code._named.clear()
    place.marker.unlink()
    return Place(Path.cwd() / "code", out, place.marker)


def test_a_module_of_a_package_is_found_with_its_parents(package):
    with pytest.raises(ConsentError, match=r"code/mypackage/nets\.py"):
        convscope.load(package.run)
    assert "mypackage" not in sys.modules
    convscope.load(package.run, trust=True)
    assert package.ran


def test_trust_covers_no_other_module_of_a_package(package):
    files = Run(package.run).read_config()["network"]["files"]
    kept = [each for each in files if each["module"] != "mypackage.parts"]
    package.config(network={"files": kept})
    with pytest.raises(ConsentError, match=r"mypackage/parts.py, which .* did not record"):
        convscope.load(package.run, trust=True)
    assert not package.ran


def test_another_module_of_that_name_is_not_taken_for_it(place):
    place.write(Path.cwd(), "# another\n")
    sys.path.insert(0, str(Path.cwd()))
    importlib.import_module("mynets")
    with pytest.raises(ConsentError, match="in a process of its own"):
        convscope.load(place.run, trust=True)


@pytest.mark.parametrize(
    "network",
    [
        {"files": []},
        {"files": "text"},
        {"folder": "relative"},
        {"files": [{"module": "mynets", "file": "../mynets.py", "sha256": "0"}]},
        {"files": [{"module": "mynets", "file": "/mynets.py", "sha256": "0"}]},
        {"files": [{"module": "mynets", "file": 7, "sha256": "0"}]},
        {"files": [{"module": "mynets"}]},
    ],
)
def test_a_record_that_makes_no_sense_is_no_record(place, network):
    place.config(network=network)
    for trust in (False, True):
        with pytest.raises(ConsentError, match="no usable record"):
            convscope.load(place.run, trust=trust)
    assert not place.ran


def test_nothing_of_python_itself_is_called(place):
    source = Path(shutil.__file__)
    file = {"module": "shutil", "file": "shutil.py", "sha256": own_code.sha256_of(source)}
    network = {"module": "shutil", "folder": str(source.parent), "files": [file]}
    place.config(model="shutil:disk_usage", network=network)
    with pytest.raises(ConsentError):
        convscope.load(place.run, trust=True)


def test_model_alone_is_what_to_look_at_and_beside_a_run_its_code(place):
    assert convscope.predict(model=place.run, images=IMAGE, trust=True)
    assert convscope.predict(net=place.run, images=IMAGE, trust=True)
    forget()
    place.write(Path.cwd())
    assert convscope.predict(run=place.run, images=IMAGE, model="mynets:Net")


def test_a_class_of_a_script_needs_the_class(place):
    place.config(model="__main__:main")
    for trust in (False, True):
        with pytest.raises(ConsentError, match=r"its own class main.*convscope.load\(run, model="):
            convscope.load(place.run, trust=trust)
    place.write(Path.cwd())
    convscope.load(place.run, model="mynets:Net")


def test_a_run_of_an_object_takes_code_that_builds_one_like_it(place):
    place.config(model="object:Net")
    with pytest.raises(RequestError, match=r"`model=module:attr`"):
        convscope.load(place.run)
    place.write(Path.cwd())
    convscope.load(place.run, model="mynets:Net")


def test_who_has_trained_in_this_process_has_named_the_code(place):
    place.write(Path.cwd())
    result = convscope.train("digits", model="mynets:Net", out="own", progress=False, **TRAINING)
    convscope.load(result)
    convscope.evaluate(result.run)


def test_the_name_alone_of_code_that_was_named_allows_nothing(place):
    place.write(Path.cwd(), "# mine\n")
    convscope.train("digits", model="mynets:Net", out="own", progress=False, **TRAINING)
    forget()
    place.marker.unlink()
    sys.path.remove(str(Path.cwd()))
    with pytest.raises(ConsentError, match="code of its own"):
        convscope.load(place.run)
    assert not place.ran
    convscope.load("own")


def test_a_resume_with_other_code_records_it(place):
    place.write(Path.cwd(), "Same = Net\n")
    convscope.resume(place.run, steps=3, model="mynets:Same", progress=False)
    forget()
    own_code._named.clear()
    config = Run(place.run).read_config()
    assert config["model"] == "mynets:Same"
    assert own_code.is_signed(config)
    convscope.load(place.run, trust=True)


def test_a_settings_file_names_no_code(place, command):
    place.write(Path.cwd())
    words = ("train", "--config", place.run / "config.toml", "--out", "again")
    done = command(*words, cwd=Path.cwd(), code=2)
    assert "names code, mynets:Net" in done.stderr
    assert done.stderr.endswith("--out again --model mynets:Net\n")
    assert not place.ran
    done = command(*words, "--model", "mynets:Net", cwd=Path.cwd())
    assert "predict again IMAGE... --trust" in done.stdout + done.stderr


def test_the_command_line_says_what_to_type(place, command, trained):
    image = place.root / "a.png"
    Image.fromarray(IMAGE).save(image)
    done = command("predict", place.run, image, code=2)
    assert str(trained.root / "mynets.py") in done.stderr
    lines = done.stderr.splitlines()
    assert lines[1:] == [
        f"  convscope predict {place.run} {image} --trust",
        f"  convscope predict {place.run} {image} --model mynets:Net",
    ]
    assert not place.ran
    command("predict", place.run, image, "--trust")
    assert place.ran
    done = command("evaluate", place.run, "--trust")
    assert done.stdout.rstrip().endswith("--trust")
    done = command("lab", place.run, "--no-open", code=2)  # which has no --model
    assert done.stderr.splitlines()[1:] == [f"  convscope lab {place.run} --no-open --trust"]
    done = command("summary", place.run, "--trust")
    assert f"convscope summary {place.run} --trust --svg" in done.stdout
    command("predict", place.run, image, "--model", "mynets:Net", cwd=trained.root)


def test_modules_in_the_current_folder_are_not_taken_for_libraries(tmp_path, shell):
    for name in ("cyclopts", "rich", "torch", "timm"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    shell("models", "lenet*", cwd=tmp_path)
    assert not (tmp_path / "ran").exists()


# -- the lab


@pytest.fixture
def jobs(place):
    return TrainingJobs(place.run.parent)


def test_a_resume_from_the_page_may_what_the_lab_may(place, jobs, monkeypatch):
    monkeypatch.setattr(Processes, "start", lambda self, name, words: started.append(words))
    started = []
    (place.run / "test.json").unlink()
    shutil.rmtree(place.run / "live")
    jobs.resume("run")
    TrainingJobs(place.run.parent, trusted=[place.run]).resume("run")
    path = str(place.run)
    assert started == [["resume", path, "--trust-signed"], ["resume", path, "--trust"]]


def test_a_signature_is_consent_where_the_lab_asks_for_it(place, command):
    place.config(network={"signature": ""})
    done = command("resume", place.run, "--steps", 3, "--trust-signed", code=2)
    assert "only if you made them" in done.stderr
    assert not place.ran


def test_a_page_is_told_why_a_run_stays_closed(place, jobs):
    place.config(network={"signature": ""})
    api = TestClient(make_app(ModelStore(), jobs, hosts=frozenset(["testserver"])))
    answer = api.post("/api/runs/run/open")
    assert answer.is_client_error
    assert f"convscope lab {place.run} --trust" in answer.json()["message"]
    assert not place.ran


def test_a_page_names_no_code(jobs):
    for model in ("mynets:Net", "timm:resnet18", "os:getcwd"):
        with pytest.raises(RequestError, match="This lab has no network"):
            jobs.start("digits", {"model": model})
    with pytest.raises(RequestError):
        jobs.start("digits", {"network": "mynets:Net"})


def test_the_page_trains_code_of_the_command_line(place, monkeypatch):
    started = []
    monkeypatch.setattr(Processes, "start", lambda self, name, words: started.append(words))
    TrainingJobs(place.root / "made", models=["mynets:Net"]).start(
        "digits", {"model": "mynets:Net"}
    )
    assert started[0][3:5] == ["--model", "mynets:Net"]


def opened(jobs, place):
    return RunOpener(ModelStore()).open(place.run, jobs.consent(place.run))


def test_the_lab_opens_runs_that_this_user_made(place, jobs):
    opened(jobs, place)
    assert place.ran
    assert summary_of_run(place.run, jobs.consent(place.run)).parameters > 0


@pytest.mark.parametrize(
    "change",
    [
        {"network": {"signature": "0" * 64}},
        {"network": {"signature": ""}},
        {"network": {"signature": 7}},
        {"network": {"folder": "/elsewhere"}},
        {"model": "mynets:conv"},
        {"weights": "https://example.org/w.safetensors"},
    ],
)
def test_the_lab_opens_no_run_of_another(place, jobs, change):
    place.config(**change)
    with pytest.raises(ConsentError, match=r"only if you made them.*start the lab"):
        opened(jobs, place)
    consent = jobs.consent(place.run)
    assert summary_of_run(place.run, consent) is None
    assert "mynets:" in closed_network(place.run, consent)
    assert not place.ran


def test_a_key_of_another_user_signs_nothing_here(place, jobs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    with pytest.raises(ConsentError, match=r"no key to tell your own runs by: .*runs.key"):
        opened(jobs, place)
    assert signature.sign({}) != ""
    with pytest.raises(ConsentError, match="does not bear your signature"):
        opened(jobs, place)
    assert not place.ran


def test_a_key_that_others_can_read_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    signed = signature.sign({"a": 1})
    assert signature.key_path().stat().st_mode & 0o777 == 0o600
    assert signature.is_signed({"a": 1}, signed)
    assert not signature.is_signed({"a": 2}, signed)
    signature.key_path().chmod(0o640)
    assert not signature.is_signed({"a": 1}, signed)
    assert signature.sign({"a": 1}) == ""


def test_a_training_goes_on_where_no_key_can_be_kept(place, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    place.write(Path.cwd())
    result = convscope.train("digits", model="mynets:Net", out="own", progress=False, **TRAINING)
    assert Run(result.run).read_config()["network"]["signature"] == ""


def test_a_signed_config_in_a_foreign_run_loads_the_code_that_it_signs(place, jobs):
    place.write(place.run)  # beside the config, which is copied from the user's own run
    opened(jobs, place)
    assert not str(sys.modules["mynets"].__file__).startswith(str(place.run))


def test_signed_code_has_to_lie_where_it_was(place, jobs, trained):
    place.write(Path.cwd())
    moved = trained.root.with_name("moved")
    trained.root.rename(moved)
    try:
        with pytest.raises(ConsentError, match="is not where it was"):
            opened(jobs, place)
    finally:
        moved.rename(trained.root)


def test_the_lab_opens_what_its_command_line_trusts(place):
    place.config(network={"signature": ""})
    with pytest.raises(ConsentError):
        make_lab([place.run])
    server, jobs = make_lab([place.run], trust=True)
    server.close()
    assert place.ran
    assert jobs.consent(place.run).trust


def make_lab(networks, *, trust=False):
    found = []
    real = TrainingJobs.__init__

    def init(self, *args, **kwargs):
        real(self, *args, **kwargs)
        found.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingJobs, "__init__", init)
        server = make_server(
            networks, images=[], weights=None, trust=trust, runs="runs", data=[],
            host="127.0.0.1", port=8600,
        )  # fmt: skip
    return server, found[0]


def test_a_run_folder_is_no_code_by_its_name(place):
    odd = Path("mynets:Net")
    shutil.copytree(place.run, odd)
    place.write(Path.cwd())
    server, jobs = make_lab(["mynets:Net"], trust=True)
    server.close()
    assert jobs.sources.models == {}


# -- downloads


@pytest.fixture
def offline(monkeypatch):
    """Every connection fails the test."""
    asked: list[object] = []

    def refuse(_socket, address):
        asked.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **_: refuse(None, where))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    yield
    assert asked == []


@pytest.mark.parametrize(
    "model",
    [
        "timm:hf-hub:timm/resnet18.a1_in1k",
        "timm:hf_hub:timm/resnet18.a1_in1k",
        "timm:local-dir:/tmp",
        "timm.models:hf-hub:timm/resnet18.a1_in1k",
        "hf-hub:timm/resnet18.a1_in1k",
        "hf_hub:timm/resnet18.a1_in1k",
        "https://example.org/network",
        "torchvision:deeplabv3_resnet50",
        "timm:resnet10t.c3_in1k",
        "torchvision:resnet18",
    ],
)
@pytest.mark.usefixtures("offline")
def test_the_name_of_a_network_fetches_nothing(place, model):
    place.config(model=model)
    for trust in (False, True):
        with pytest.raises(RequestError):
            convscope.load(place.run, trust=trust)


@pytest.mark.usefixtures("offline")
def test_weights_that_a_run_names_are_not_fetched_by_it(place):
    shutil.rmtree(place.run / "last")
    (place.run / "model.safetensors").unlink()
    place.config(model="lenet5", weights="https://127.0.0.1:9/w.safetensors")
    with pytest.raises(ConsentError, match=r"would start from the weights https://127.0.0.1:9"):
        convscope.resume(place.run, progress=False)


def test_the_lab_downloads_no_data_that_a_run_names(place, jobs, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_DATA", str(place.root / "empty"))
    monkeypatch.setattr("convscope.data.source.fetch", lambda *_, **__: pytest.fail("a download"))
    place.config(data="mnist", data_dir=str(place.root))
    model = opened(jobs, place)
    assert model.class_images.of(0) == []


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_unpickles(place, monkeypatch, verb):
    for name in ("model.pt", "last/step-000000009.pt", "weights.pth"):
        (place.run / name).write_bytes(b"no pickle")

    def refuse(*_args, **_kwargs):
        raise AssertionError("torch.load was called")

    monkeypatch.setattr(torch, "load", refuse)
    VERBS[verb](place.run, trust=True)
