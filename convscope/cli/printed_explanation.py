"""What `convscope explain` prints of a recorded pass."""

from collections.abc import Sequence

from rich.table import Table

from convscope.card import NO_LABEL
from convscope.cli.json_output import print_json
from convscope.errors import shell_word
from convscope.explanation.api import parse_unit
from convscope.explanation.explanation import Explanation
from convscope.explanation.recorded_image import RecordedImage
from convscope.explanation.rendering.text import im2col_text
from convscope.inference import probabilities
from convscope.predictions.result import expected_grade
from convscope.words.screen import Screen, cell


def print_trace(
    screen: Screen,
    recorded: RecordedImage,
    at: str | None,
    *,
    depth: int | None,
    top: int | None,
    json: bool,
) -> None:
    name, unit = parse_unit(recorded, at)
    tree = recorded.recording.trace_back(name, unit, depth=depth, top=top or 1)
    if json:
        print_json(tree.to_dict())
    else:
        screen.show(str(tree))


def print_prediction(screen: Screen, recorded: RecordedImage) -> None:
    """The most probable classes, if the network returns one number for each class."""
    classes = recorded.card.classes
    output = recorded.recording[recorded.recording.output].value
    if output.ndim != 1 or len(output) != len(classes) or recorded.warning:
        return
    probs = probabilities(output, recorded.card)
    if recorded.card.task == "multi-label":  # each has a probability of its own
        count = int((probs >= probs.new_tensor(recorded.card.label_thresholds)).sum())
        top = [int(k) for k in probs.argsort(descending=True)[: max(3, count)]]
    else:
        count, top = 1, [int(k) for k in probs.argsort(descending=True)[:3]]
    listed = [f"{classes[k]} ({float(probs[k]):.1%})" for k in top]
    runners_up = f"; then {', '.join(listed[count:])}" if listed[count:] else ""
    screen.say(f"Prediction: {', '.join(listed[:count]) or NO_LABEL}{runners_up}")
    if recorded.card.task == "ordinal":
        grade = expected_grade(probs.numpy())
        screen.say(f"Expected grade: {grade:.2f}   (0 is {classes[0]}, {len(classes) - 1} is "
                   f"{classes[-1]})")  # fmt: skip
    screen.say()


def print_class(screen: Screen, recorded: RecordedImage, explanation: Explanation) -> None:
    """The class of the unit that is explained, where its index alone does not say it."""
    classes, location = recorded.card.classes, explanation.location
    shape = recorded.recording[recorded.recording.output].value.shape
    if location.source == recorded.recording.output and shape == (len(classes),):
        name = classes[location.at[-1]]
        if name != str(location.at[-1]):
            screen.say(f"{location} is the class {name!r}.")
            screen.say()


def print_explanation(
    screen: Screen, explanation: Explanation, *, top: int | None, im2col: bool, json: bool
) -> None:
    if json:
        print_json(explanation.to_dict(max_terms=top))
    elif im2col:
        screen.show(im2col_text(explanation.terms, max_rows=top or 64))
    else:
        screen.show(explanation.to_text(top=4 if top is None else top))


def print_operations(screen: Screen, recorded: RecordedImage, *, json: bool) -> None:
    """The operations in order, with their kind, shape and inputs."""
    operations = [recorded.recording[name] for name in recorded.recording.names]
    if json:
        print_json(
            [
                dict(name=op.name, kind=op.kind, shape=op.shape, operands=op.operands)
                for op in operations
            ]
        )
        return
    table = Table("operation", "kind", "shape", "inputs", box=None, pad_edge=False)
    for op in operations:
        shape = "x".join(map(str, op.shape))
        table.add_row(*map(cell, (op.name, op.kind, shape, ", ".join(op.operands))))
    screen.print(table)


def print_next(
    screen: Screen, subject: Sequence[str], explanation: Explanation, recorded: RecordedImage
) -> None:
    """Commands that explain the largest contribution, and trace this unit back."""
    locations = [explanation.terms[n].location for n in explanation.top_terms[:1]]
    location = locations[0] if locations else None
    command = f"convscope explain {' '.join(map(shell_word, subject))}"
    if location is not None and location.source in recorded.recording.names:
        screen.say()
        screen.say(f"Next:  {command} --at {shell_word(str(location))}")
        unit = shell_word(str(explanation.location))
        screen.say(f"       {command} --at {unit} --trace-back")
