"""Exercises on training: SGD steps, steps per epoch, learning rate schedules."""

from fractions import Fraction

from convscope.lessons.exercises.answer import integer, number
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import CommonMistake, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import bracketed, figure, several


def _tenths(rng: SeededRandom, low: int, high: int) -> Fraction:
    """Draw a nonzero number with one decimal."""
    while True:
        value = rng.between(low, high)
        if value:
            return Fraction(value, 10)


def step(rng: SeededRandom, level: int) -> Task:
    """Ask for a weight after a step; levels add momentum, weight decay and a second step."""
    weight, gradient = _tenths(rng, -20, 20), _tenths(rng, -30, 30)
    rate = Fraction(1, rng.pick((2, 5, 10) if level > 3 else (2, 5, 10, 100)))
    momentum = Fraction(rng.pick((5, 8, 9)), 10) if level > 1 else Fraction(0)
    velocity = _tenths(rng, -20, 20) if level > 1 else Fraction(0)
    decay = Fraction(rng.between(1, 5), 10) if level > 2 else Fraction(0)
    pull = gradient + decay * weight
    moved = momentum * velocity + pull
    after = weight - rate * moved
    rows = [("new v", figure(moved), _sum_of(momentum, velocity, gradient, decay, weight))]
    text = f"The weight is w = {figure(weight)}, its gradient g = {figure(gradient)}"
    text += f", its velocity v = {figure(velocity)}, momentum m = {figure(momentum)}" * (level > 1)
    text += f", weight decay d = {figure(decay)}" * (level > 2)
    rule = ("v ← g", "v ← m·v + g", "v ← m·v + g + d·w")[min(level, 3) - 1]
    text += f"; the learning rate is {figure(rate)}. One step: {rule}, then w ← w − rate·v."
    if level > 3:
        later = _tenths(rng, -30, 30)
        rows.append(("w after one", figure(after), _moved(weight, rate, moved)))
        text += f" A second step follows, with the gradient {figure(later)}."
        weight, gradient, velocity = after, later, moved
        pull = gradient + decay * weight
        moved = momentum * velocity + pull
        after = weight - rate * moved
        rows.append(("new v", figure(moved), _sum_of(momentum, velocity, gradient, decay, weight)))
    right = number(after)
    rows.append(("new w", right.text, _moved(weight, rate, moved)))
    mistakes = _step_slips(weight, rate, moved, pull, momentum * velocity + gradient)
    if momentum:
        mistakes.append(
            (number(weight - rate * (velocity + pull)), "the old v is not multiplied by m")
        )
        mistakes.append((number(weight - rate * momentum * moved), "the new v is multiplied by m"))
    return Task(
        question=f"{text} What is w afterwards?",
        answer=right,
        hint="First the new v, then w minus the learning rate times the new v.",
        worked=solution(*rows),
        mistakes=distinct_mistakes(right, mistakes),
    )


def _step_slips(
    weight: Fraction, rate: Fraction, moved: Fraction, pull: Fraction, plain: Fraction
) -> list[CommonMistake]:
    """Return what mistakes lead to; `pull` ignores the old velocity, `plain` the weight decay."""
    return [
        (number(weight + rate * moved), "the step goes up the gradient instead of down"),
        (number(weight - moved), "the learning rate is forgotten"),
        (number(weight - rate * pull), "the velocity is forgotten"),
        (number(weight - rate * plain), "the decay is forgotten"),
        (number(moved), "the velocity is given instead of the weight"),
        (number(rate * moved), "the step is given instead of the weight"),
    ]


def _sum_of(*parts: Fraction) -> str:
    """Write the formula of the new velocity with its numbers, without zero terms."""
    momentum, velocity, gradient, decay, weight = parts
    before = f"{figure(momentum)}·{bracketed(velocity)} + " if momentum else ""
    after = f" + {figure(decay)}·{bracketed(weight)}" if decay else ""
    return f"{before}{bracketed(gradient) if before else figure(gradient)}{after}"


def _moved(weight: Fraction, rate: Fraction, moved: Fraction) -> str:
    return f"{figure(weight)} − {figure(rate)}·{bracketed(moved)}"


def steps(rng: SeededRandom, level: int) -> Task:
    """Ask for the number of steps in some epochs."""
    batch = rng.pick((10, 20, 50, 100) if level < 2 else (16, 32, 48, 64, 128, 256))
    full_batches, rest = rng.between(5, 100 * level), rng.between(1, batch - 1)
    images = batch * full_batches + (rest if level > 1 else 0)
    epochs = 1 if level < 2 else rng.between(2, 20 * level)
    held = rng.pick((5, 10, 20)) if level > 3 else 0
    if held:
        images = -(-images // 100) * 100
    trained = images - images * held // 100
    each = -(-trained // batch)
    right = integer(each * epochs)
    split = f" {held}% of them are set aside for validation." if held else ""
    length = "one epoch" if epochs == 1 else f"{epochs} epochs"
    last = " The last batch of an epoch may be smaller." if level > 1 else ""
    return Task(
        question=(
            f"A training has {several(images, 'image')}.{split} With batches of {batch}, how many "
            f"steps are {length}?{last}"
        ),
        answer=right,
        hint="An epoch has N/B steps, rounded up, for N training images in batches of B.",
        worked=solution(
            *([("training images", figure(trained), f"{figure(images)} − {held}%")] * bool(held)),
            ("steps of an epoch", figure(each), f"{figure(trained)}/{batch}, rounded up"),
            *([("steps", right.text, f"{figure(each)}·{epochs}")] * (epochs > 1)),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(trained // batch * epochs), "the last, smaller batch is left out"),
                (integer(-(-trained * epochs // batch)), "batches extend into the next epoch"),
                (integer(-(-images // batch) * epochs), "the validation images are trained on too"),
                (integer(each), "only one epoch is counted"),
                (integer(trained * epochs), "every image is counted as a step"),
                (integer(trained), "every image is counted as a step"),
            ],
        ),
    )


def last_batch(rng: SeededRandom, level: int) -> Task:
    """Ask for the size of the last batch of an epoch."""
    batch = rng.pick((10, 20, 50, 100) if level < 2 else (32, 48, 64, 96, 128, 256))
    images = rng.between(2 * batch, 500 * 4**level)
    rest = images % batch
    right = integer(rest or batch)
    return Task(
        question=(
            f"An epoch goes once through {figure(images)} images in batches of {batch}. How many "
            "images does its last batch have?"
        ),
        answer=right,
        hint="The images that are left after all full batches; a full batch if none are left.",
        worked=solution(
            ("full batches", figure(images // batch), f"{figure(images)}/{batch}, rounded down"),
            ("last batch", right.text, f"{figure(images)} − {figure(images // batch)}·{batch}"),
        )
        if rest
        else solution(
            ("last batch", right.text, f"{figure(images)} is {figure(images // batch)}·{batch}")
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(images // batch), "the full batches are counted"),
                (integer(-(-images // batch)), "the batches are counted"),
                (integer(batch), "every batch is assumed to be full"),
                (integer(0), "a full last batch is counted as empty"),
                (integer(batch - rest), "the images missing from the last batch are counted"),
            ],
        ),
    )


_COSINES = {
    Fraction(1, 3): Fraction(1, 2),
    Fraction(1, 2): Fraction(0),
    Fraction(2, 3): Fraction(-1, 2),
}


def rate(rng: SeededRandom, level: int) -> Task:
    """Ask for the learning rate: with step decay, warm-up, cosine decay, or both."""
    peak = rng.pick((Fraction(1, 10), Fraction(1, 5), Fraction(2, 5), Fraction(1, 20)))
    match level:
        case 1:
            return dropped(rng, peak)
        case 2:
            return warmed(rng, peak)
        case _:
            return cosine(rng, peak, warmup=rng.pick((6, 10, 20, 50)) if level > 3 else 0)


def dropped(rng: SeededRandom, peak: Fraction) -> Task:
    """Ask for the learning rate after some drops."""
    every, by = rng.pick((10, 20, 30)), rng.pick((2, 5, 10))
    epoch = rng.between(every // 2, 4 * every)
    drops = epoch // every
    right = number(peak / by**drops)
    return Task(
        question=(
            f"The learning rate starts at {figure(peak)} and is divided by {by} after every "
            f"{every} epochs. What is it after {several(epoch, 'whole epoch')}?"
        ),
        answer=right,
        hint=(
            "After k drops by a factor b the rate is peak/b^k; k is the number of epochs divided "
            "by the epochs per drop, rounded down."
        ),
        worked=solution(
            ("drops", str(drops), f"{epoch}/{every}, rounded down"),
            ("rate", right.text, f"{figure(peak)}/{by}^{drops}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (number(peak / by ** (drops + 1)), "one drop too many is counted"),
                (number(peak / by ** max(0, drops - 1)), "one drop too few is counted"),
                (
                    number(peak / (by * drops)) if drops else None,
                    "the factor is multiplied by the number of drops",
                ),
                (number(peak), "the drops are forgotten"),
                (number(peak * by**drops), "the rate is multiplied instead of divided"),
            ],
        ),
    )


def warmed(rng: SeededRandom, peak: Fraction) -> Task:
    """Ask for the learning rate during warm-up."""
    long = rng.pick((100, 200, 400, 500))
    at = rng.between(1, 9) * long // 10
    right = number(peak * at / long)
    return Task(
        question=(
            f"In a warm-up of {long} steps the learning rate rises linearly from 0 to "
            f"{figure(peak)}. What is it after {at} steps?"
        ),
        answer=right,
        hint="The rate is peak·t/T after t of the T steps of the warm-up.",
        worked=solution(("rate", right.text, f"{figure(peak)}·{at}/{long}")),
        mistakes=distinct_mistakes(
            right,
            [
                (number(peak), "the warm-up is forgotten"),
                (number(peak * (long - at) / long), "the rate falls instead of rising"),
                (number(peak / at), "the peak is divided by the steps"),
                (number(Fraction(at, long)), "the fraction of the warm-up is given"),
            ],
        ),
    )


def cosine(rng: SeededRandom, peak: Fraction, *, warmup: int) -> Task:
    """Ask for the learning rate of a cosine decay, possibly after a warm-up."""
    long = 6 * rng.between(10, 200)
    share = rng.pick(tuple(_COSINES))
    if warmup and rng.between(0, 2) == 0:
        at, value = warmup // 2, peak / 2
        how = f"{figure(peak)}·{at}/{warmup}, in the warm-up"
    else:
        at, value = warmup + int(share * long), peak * (1 + _COSINES[share]) / 2
        how = f"{figure(peak)}·(1 + {bracketed(_COSINES[share])})/2, at t = {share}"
    right, t = number(value), Fraction(at - warmup, long)
    before = f"rises linearly from 0 to {figure(peak)} in {warmup} steps, then " if warmup else ""
    falls = f"falls from {figure(peak)} to 0 in {long:,} steps along half a cosine"
    ignored = Fraction(at, warmup + long)
    return Task(
        question=(
            f"The learning rate {before}{falls}: peak·(1 + cos πt)/2, where t goes from 0 to 1. "
            f"What is it after {at:,} steps{' in all' if warmup else ''}? "
            "cos 60° = 1/2, cos 90° = 0, cos 120° = −1/2; π is 180°."
        ),
        answer=right,
        hint="t is the fraction of the decay that is done; a warm-up is not part of it.",
        worked=solution(("rate", right.text, how)),
        mistakes=distinct_mistakes(
            right,
            [
                (number(peak * (1 - t)) if 0 <= t <= 1 else None, "the rate falls linearly"),
                (number(peak * (1 + _COSINES.get(t, Fraction(1)))), "the half is forgotten"),
                (number(peak * _COSINES.get(t, Fraction(1))), "the 1 and the half are forgotten"),
                (
                    number(peak * (1 - _COSINES.get(t, Fraction(1))) / 2),
                    "the rate rises instead of falling",
                ),
                (number(peak * (1 - ignored)), "the warm-up is counted and the fall is linear"),
                (number(peak), "the rate is assumed to be constant"),
            ],
        ),
    )


FIXED = ()
GENERATORS = (step, steps, rate, last_batch)
