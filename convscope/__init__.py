"""convscope: a workbench for convolutional networks.

Every verb of the command line is a function here, with the same words and the same result:

    >>> import convscope
    >>> convscope.create_model("lenet5").get_submodule("conv1")
    Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1))
"""

from importlib import import_module
from typing import TYPE_CHECKING

from convscope.version import __version__ as __version__

if TYPE_CHECKING:
    from convscope.arithmetic import geometry as geometry
    from convscope.attribution.api import attribute as attribute
    from convscope.card import Card as Card
    from convscope.checks.api import check as check
    from convscope.comparison.api import compare as compare
    from convscope.conversion.api import export as export
    from convscope.conversion.renamed_weights import export_weights as export_weights
    from convscope.decisions.calibrate import calibrate as calibrate
    from convscope.decisions.calibrate import restore_card as restore_card
    from convscope.decisions.decide import decide as decide
    from convscope.errors import ConvscopeError as ConvscopeError
    from convscope.evaluation.evaluate import evaluate as evaluate
    from convscope.evaluation.predict import predict as predict
    from convscope.explanation.api import explain as explain
    from convscope.explanation.api import explain_boxes as explain_boxes
    from convscope.explanation.recording import record as record
    from convscope.explanation.saved_recordings import load_recording as load_recording
    from convscope.exported.batch import batch_predict as batch_predict
    from convscope.features.embedding.api import embed as embed
    from convscope.features.filters.api import filters as filters
    from convscope.features.maps.api import maps as maps
    from convscope.features.patches.api import patches as patches
    from convscope.features.probes import probes as probes
    from convscope.interventions.api import intervene as intervene
    from convscope.interventions.api import intervene_on_data as intervene_on_data
    from convscope.levels.api import hierarchy as hierarchy
    from convscope.localization.api import localize as localize
    from convscope.map_similarity.api import redundancy as redundancy
    from convscope.perturbations.api import robustness as robustness
    from convscope.pruning.api import prune as prune
    from convscope.reports.history import history as history
    from convscope.reports.write import report as report
    from convscope.runs.network import load as load
    from convscope.studies.api import study as study
    from convscope.summaries.api import summary as summary
    from convscope.synthesis.api import synthesize as synthesize
    from convscope.synthesis.inversion import invert as invert
    from convscope.training.api import resume as resume
    from convscope.training.api import train as train
    from convscope.training.augmentation_sheet import show_augmented as show_augmented
    from convscope.training.callbacks.base import Callback as Callback
    from convscope.training.folds.api import cross_validate as cross_validate
    from convscope.training.lr_finder import lr_find as lr_find
    from convscope.training.tuning.api import tune as tune
    from convscope.webapp.course.api import save_course as save_course
    from convscope.webapp.lab import lab as lab
    from convscope.webapp.page_file.api import save_lab as save_lab
    from convscope.weights import create_model as create_model
    from convscope.weights import load_weights as load_weights
    from convscope.zoo import list_models as list_models
    from convscope.zoo.fully_convolutional import fully_convolutional as fully_convolutional


_HOME = {
    "Callback": "convscope.training.callbacks.base",
    "Card": "convscope.card",
    "ConvscopeError": "convscope.errors",
    "attribute": "convscope.attribution.api",
    "batch_predict": "convscope.exported.batch",
    "calibrate": "convscope.decisions.calibrate",
    "check": "convscope.checks.api",
    "compare": "convscope.comparison.api",
    "create_model": "convscope.weights",
    "cross_validate": "convscope.training.folds.api",
    "decide": "convscope.decisions.decide",
    "embed": "convscope.features.embedding.api",
    "evaluate": "convscope.evaluation.evaluate",
    "explain": "convscope.explanation.api",
    "explain_boxes": "convscope.explanation.api",
    "export": "convscope.conversion.api",
    "export_weights": "convscope.conversion.renamed_weights",
    "filters": "convscope.features.filters.api",
    "fully_convolutional": "convscope.zoo.fully_convolutional",
    "geometry": "convscope.arithmetic",
    "hierarchy": "convscope.levels.api",
    "history": "convscope.reports.history",
    "intervene": "convscope.interventions.api",
    "intervene_on_data": "convscope.interventions.api",
    "invert": "convscope.synthesis.inversion",
    "lab": "convscope.webapp.lab",
    "list_models": "convscope.zoo",
    "load": "convscope.runs.network",
    "load_recording": "convscope.explanation.saved_recordings",
    "load_weights": "convscope.weights",
    "localize": "convscope.localization.api",
    "lr_find": "convscope.training.lr_finder",
    "maps": "convscope.features.maps.api",
    "patches": "convscope.features.patches.api",
    "predict": "convscope.evaluation.predict",
    "prune": "convscope.pruning.api",
    "probes": "convscope.features.probes",
    "record": "convscope.explanation.recording",
    "redundancy": "convscope.map_similarity.api",
    "restore_card": "convscope.decisions.calibrate",
    "report": "convscope.reports.write",
    "resume": "convscope.training.api",
    "robustness": "convscope.perturbations.api",
    "save_course": "convscope.webapp.course.api",
    "save_lab": "convscope.webapp.page_file.api",
    "show_augmented": "convscope.training.augmentation_sheet",
    "study": "convscope.studies.api",
    "summary": "convscope.summaries.api",
    "synthesize": "convscope.synthesis.api",
    "train": "convscope.training.api",
    "tune": "convscope.training.tuning.api",
}

__all__ = [
    "Callback",
    "Card",
    "ConvscopeError",
    "attribute",
    "batch_predict",
    "calibrate",
    "check",
    "compare",
    "create_model",
    "cross_validate",
    "decide",
    "embed",
    "evaluate",
    "explain",
    "explain_boxes",
    "export",
    "export_weights",
    "filters",
    "fully_convolutional",
    "geometry",
    "hierarchy",
    "history",
    "intervene",
    "intervene_on_data",
    "invert",
    "lab",
    "list_models",
    "load",
    "load_recording",
    "load_weights",
    "localize",
    "lr_find",
    "maps",
    "patches",
    "predict",
    "probes",
    "prune",
    "record",
    "redundancy",
    "report",
    "restore_card",
    "resume",
    "robustness",
    "save_course",
    "save_lab",
    "show_augmented",
    "study",
    "summary",
    "synthesize",
    "train",
    "tune",
]


def _find(name: str) -> object:
    """Import a verb when it is first used, so that `import convscope` costs nothing."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    message = f"module 'convscope' has no attribute {name!r}."
    if name.startswith("_"):
        raise AttributeError(message)
    synonyms = import_module("convscope.synonyms")  # an import by `from` would ask here first
    ours = synonyms.attribute(name)
    if ours is None or ours not in _HOME:
        raise AttributeError(message + import_module("convscope.errors").nearest(name, _HOME))
    if name in synonyms.names.WORKING:
        return getattr(import_module(_HOME[ours]), ours)
    raise AttributeError(f"{message} It is convscope.{ours} here.")


if not TYPE_CHECKING:  # type checkers know the names above, and refuse others
    __getattr__ = _find


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
