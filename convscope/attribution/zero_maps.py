"""Why a map is zero everywhere, as measured."""

from torch import Tensor

from convscope.attribution.shares import gradient_gone_at
from convscope.attribution.steps import Tape
from convscope.attribution.subject import Subject
from convscope.recording import IMAGE


def dead_layer(subject: Subject, name: str, maps: Tensor, gradient: Tensor) -> str:
    """Why gradient times activation is zero at a layer."""
    tape = subject.tape
    if not maps.any():
        return f"Every activation of {name} is 0 for this image. {before_zero(tape, name)}".strip()
    if not gradient.any():
        return no_gradient(subject, name)
    return (
        f"At {name} the gradient is not 0 only where the activation is, so that their products are "
        "all 0."
    )


def no_gradient(subject: Subject, start: str = IMAGE) -> str:
    """Where on the way back from the output every gradient became 0."""
    tape, gone_at = subject.tape, gradient_gone_at(subject, start)
    if not gone_at:
        return "The score does not depend on the image: no operation leads from one to the other."
    step = tape.step(gone_at)
    operand = next(iter(step.operands.values()))
    if step.kind in ("relu", "relu6"):
        reached = "all" if not (operand > 0).any() else "all that the score depends on"
        return (
            f"Every gradient is 0 before {gone_at}: {reached} of its {operand.numel():,} inputs "
            f"are 0 or less (the largest is {float(operand.max()):.3g}), so that the ReLU is dead "
            "for this image."
        )
    return f"Every gradient is 0 before {gone_at} ({step.kind}), which passes none on."


def before_zero(tape: Tape, name: str) -> str:
    """What a layer of zeros was computed from, where it is a ReLU."""
    step = tape.step(name)
    if step.kind not in ("relu", "relu6"):
        return ""
    operand = next(iter(step.operands.values()))
    return (
        f"The ReLU is dead: its {operand.numel():,} inputs are all 0 or less, the largest is "
        f"{float(operand.max()):.3g}."
    )


def negative_everywhere(total: Tensor, name: str) -> str:
    """That a map has no positive value, and is blank once negative values are cut off."""
    return (
        f"The weighted sum is negative or 0 at each of the {total.numel():,} positions of {name} "
        f"(from {float(total.min()):.3g} to {float(total.max()):.3g}): the layer speaks against "
        "the class, and this method shows only what speaks for it. hires-cam shows both."
    )
