"""Changes in a recording, without the network: what follows from them is computed again."""

from collections.abc import Sequence

from torch import Tensor

from convscope.errors import RequestError, nearest
from convscope.explanation.recording import Recording
from convscope.interventions.changed_pass import apply_edit
from convscope.interventions.edits import Edit, check_index


def changed_recording(before: Recording, edits: Sequence[Edit]) -> Recording:
    """The recording after changes, each made as soon as its operation has returned.

    Raises RequestError for a name that is no operation, an index out of range, and changes that
    need the network: of weights, and to values for another image.
    """
    order = {name: number for number, name in enumerate(before.names)}
    for edit in edits:
        if edit.action == "patch" or (edit.name not in order and edit.name in before):
            raise RequestError(
                f"{edit} needs the network: give it and the image, in place of a recording."
            )
        if edit.name not in order:
            raise RequestError(
                f"{edit}: the recording has no operation {edit.name!r}."
                f"{nearest(edit.name, before.names)}"
            )
        check_index(edit, before[edit.name].shape)
    changes: dict[str, Tensor] = {}
    after = before
    for edit in sorted(edits, key=lambda edit: order[edit.name]):
        changed = after[edit.name].tensor.clone()
        apply_edit(changed, edit, None, is_batch=True)
        changes[edit.name] = changed
        after = before.replay(changes)
    return after
