"""What makes a command in a process of its own start sooner: no garbage collection during imports,
and PyTorch's largest library loaded beside them.
"""

import atexit
import gc
import sys
from collections.abc import Sequence

_WITH_TORCH = ("train", "resume", "evaluate", "predict", "explain", "summary")


def begin(words: Sequence[str]) -> None:
    """Prepare this process, which runs the command line `words`, for its imports."""
    gc.disable()  # nothing that they make is garbage; `collect_again` ends it
    atexit.register(gc.freeze)  # or Python searches all of torch for garbage before it exits
    is_heavy = words[:1] and words[0] in _WITH_TORCH and not {"--help", "-h"} & {*words}
    is_heavy = is_heavy and not exported_folder(words)
    if is_heavy and sys.platform == "linux" and "torch" not in sys.modules:
        import threading  # noqa: PLC0415 -- not for --help

        # The interpreter waits for the thread before it ends: a library's destructors must not run
        # beside its constructors.
        threading.Thread(target=_preload_torch, name="convscope-preload").start()


def collect_again() -> None:
    """Turn the garbage collector on, where `begin` has turned it off.

    What has been imported is exempt from collection: it stays until the process ends.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def exported_folder(words: Sequence[str]) -> str:
    """The folder of the exported network with which a command line predicts; empty if none.

    It is among the first words, or in the folder of a run that is; by its manifest, see
    `convscope.exported.folder`.
    """
    if words[:1] != ["predict"]:
        return ""
    import os  # noqa: PLC0415 -- not for --help

    for word in words[1:9]:
        for folder in (word, os.path.join(word, "exported")):  # noqa: PTH118
            if "\0" not in word and os.path.exists(os.path.join(folder, "export.json")):  # noqa: PTH110, PTH118
                return folder
    return ""


def _preload_torch() -> None:
    """Load PyTorch's library as `import torch` will, which then finds it, or waits for it.

    What cannot be loaded is left to that import, which says why.
    """
    import ctypes  # noqa: PLC0415 -- not for --help
    import os  # noqa: PLC0415
    from importlib.util import find_spec  # noqa: PLC0415

    spec, dlopen = find_spec("torch"), getattr(ctypes.CDLL(None), "dlopen", None)
    if spec is None or spec.origin is None or dlopen is None:
        return
    dlopen.restype = ctypes.c_void_p  # unlike ctypes.CDLL, it runs without the interpreter's lock
    libraries = os.path.join(os.path.dirname(spec.origin), "lib", "")  # noqa: PTH118, PTH120
    for name, visibility in (("global_deps", os.RTLD_GLOBAL), ("cpu", os.RTLD_LOCAL)):
        dlopen(os.fsencode(f"{libraries}libtorch_{name}.so"), os.RTLD_NOW | visibility)
