"""Open an exported network while the rest of the command line is imported.

An engine takes most of its time outside Python, so a thread opens it beside the imports.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convscope.exported.classifier import Classifier

_FLAGS = ("--json", "--format", "--top", "--batch-size", "--debug", "--output")
"""Options with which the network is opened as without them."""

_opening: "list[_Opening]" = []


def open_ahead(folder: str, words: Sequence[str]) -> None:
    """Begin to open an exported network, if the words of the command line ask for no other way."""
    flags = {word.partition("=")[0] for word in words if word.startswith("-")}
    if flags <= {*_FLAGS} and find_spec("onnxruntime") is not None:
        library = Thread(target=_preload_onnxruntime, name="convscope-preload")
        library.start()
        import_module("convscope.exported.classifier")  # beside it, and before all other imports
        library.join()
        thread = _Opening(folder)
        _opening.append(thread)
        thread.start()


def opened_ahead(folder: Path) -> "Classifier | None":
    """The network of a folder, if it was opened ahead; once. None where that failed, too."""
    for thread in _opening:
        if os.path.normpath(thread.folder) == os.path.normpath(folder):
            _opening.remove(thread)
            thread.join()
            return thread.classifier
    return None


class _Opening(Thread):
    def __init__(self, folder: str) -> None:
        super().__init__(name="convscope-open-ahead")
        self.folder = folder
        self.classifier: Classifier | None = None

    def run(self) -> None:
        from convscope.errors import ConvscopeError  # noqa: PLC0415
        from convscope.exported.classifier import open_classifier  # noqa: PLC0415
        from convscope.exported.folder import ExportedModel  # noqa: PLC0415

        try:
            model = ExportedModel.open(Path(self.folder))
            if not model.manifest.get("splits"):  # else it depends on how many images there are
                size = model.default_batch_size
                self.classifier = open_classifier(model, batch_size=size, spin=False)
        except ConvscopeError:
            return  # which is told where the network is opened next


def _preload_onnxruntime() -> None:
    """Load its library without the interpreter's lock, or leave that to its import."""
    import ctypes  # noqa: PLC0415

    spec, dlopen = find_spec("onnxruntime"), getattr(ctypes.CDLL(None), "dlopen", None)
    if spec is None or spec.origin is None or dlopen is None:
        return
    dlopen.restype = ctypes.c_void_p
    for path in (Path(spec.origin).parent / "capi").glob("onnxruntime_pybind11_state*.so"):
        dlopen(os.fsencode(path), os.RTLD_NOW | os.RTLD_LOCAL)
