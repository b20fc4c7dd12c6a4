"""ONNX Runtime Web, brought by npm: here a stand-in that packs what the test gives it."""

import hashlib
import io
import sys
import tarfile
from pathlib import Path

import pytest

from convscope.conversion import web_runtime
from convscope.conversion.web_runtime import BINARY, SCRIPT, VERSION, find_runtime
from convscope.errors import RequestError, WorkError

CONTENT = {SCRIPT: b"export const env = {};", BINARY: b"\0asm"}


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Let npm bring these files, of the published digests; returns what it was asked for."""
    asked = tmp_path / "asked"

    def brings(files=CONTENT, *, status=0, says=""):
        archive = tmp_path / "package.tgz"
        with tarfile.open(archive, "w:gz") as package:
            for name, content in files.items():
                entry = tarfile.TarInfo(f"package/dist/{name}")
                entry.size = len(content)
                package.addfile(entry, io.BytesIO(content))
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f"#!{sys.executable}\nimport shutil, sys\n"
            f"open({str(asked)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
            f"shutil.copy({str(archive)!r}, 'onnxruntime-web.tgz')\n"
            f"print({says!r}, file=sys.stderr)\nsys.exit({status})\n"
        )
        program.chmod(0o755)
        return asked

    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    monkeypatch.setattr(web_runtime, "DIGESTS", digests)
    return brings


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_npm_brings_two_files_once(npm, tmp_path):
    asked = npm({**CONTENT, "../../evil": b"x", "ort.all.js": b"x"})
    assert files_in(find_runtime()) == CONTENT
    assert files_in(find_runtime()) == CONTENT
    assert asked.read_text() == f"pack onnxruntime-web@{VERSION} --silent --ignore-scripts\n"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"onnxruntime-web-{VERSION}"]


def test_damage_in_the_cache_is_mended(npm):
    asked = npm()
    (find_runtime() / BINARY).write_bytes(b"half")
    assert files_in(find_runtime()) == CONTENT
    assert len(asked.read_text().splitlines()) == 2


def test_other_files_than_the_published_ones_are_refused(npm, tmp_path):
    npm({**CONTENT, BINARY: b"other"})
    with pytest.raises(WorkError, match="wrong checksum"):
        find_runtime()
    npm({SCRIPT: CONTENT[SCRIPT]})
    with pytest.raises(WorkError, match=rf"npm brought no onnxruntime-web .*{BINARY}"):
        find_runtime()
    assert [*(tmp_path / "cache").iterdir()] == []


def test_a_failure_of_npm_is_told_in_its_words(npm):
    npm(status=1, says="npm error code ENOTFOUND")
    with pytest.raises(WorkError, match=r"\(npm error code ENOTFOUND\).*`web_runtime`"):
        find_runtime()


def test_without_npm_it_is_said_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    with pytest.raises(RequestError, match=r"npm is not installed\. .*`npm pack onnxruntime-web@"):
        find_runtime()


@pytest.mark.parametrize("below", [".", "dist", "package/dist", "onnxruntime-web/dist"])
def test_a_folder_of_the_user_is_taken_as_it_is(tmp_path, below):
    place = tmp_path / below
    place.mkdir(parents=True, exist_ok=True)
    for name in CONTENT:
        (place / name).write_bytes(b"another version")
    assert find_runtime(tmp_path).samefile(place)


def test_a_folder_without_it_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"has no ONNX Runtime Web: ort\.wasm\.bundle"):
        find_runtime(tmp_path)
