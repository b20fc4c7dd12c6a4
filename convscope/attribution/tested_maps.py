"""The maps of an image, each tested as soon as it is computed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from convscope.attribution.baselines import baseline_image
from convscope.attribution.faithfulness import FaithfulnessTest
from convscope.attribution.methods import METHODS, MethodName, MethodOptions
from convscope.attribution.randomization import RandomizedWeights, randomized_weights
from convscope.attribution.raw_map import RawMap
from convscope.attribution.result import Attribution, on_image
from convscope.attribution.subject import Subject
from convscope.attribution.watching import Steps
from convscope.errors import RequestError


class TestedMaps:
    """Computes the maps of methods and tests them, image after image.

    Args:
        methods: in their order.
        options: of the methods.
        random_orders: see `attribute`; 0 for no deletion and insertion.
        random_weights: whether the map is computed again with weights in random order.
        steps: counts what is done.
        on_map: gets each map before it is tested.
        leave_out: whether a method that refuses the network is left out; else its error is raised.

    Attributes:
        left_out: why methods were left out, by their names.
    """

    __test__ = False  # for pytest, which takes the name for its own

    def __init__(
        self,
        methods: Sequence[MethodName],
        options: MethodOptions,
        *,
        random_orders: int,
        random_weights: bool,
        steps: Steps,
        on_map: Callable[[Attribution], None],
        leave_out: bool,
    ) -> None:
        self.left_out: dict[str, str] = {}
        self._methods, self._options = methods, options
        self._random_orders, self._random_weights = random_orders, random_weights
        self._steps, self._on_map, self._leave_out = steps, on_map, leave_out

    def maps(self, subject: Subject, on_progress: Callable[[str], None]) -> Iterator[Attribution]:
        """The map of each method on an image. Raises RequestError where a method refuses it."""
        test: FaithfulnessTest | None = None
        for name in self._methods:
            on_progress(name)
            try:
                raw = METHODS[name].compute(subject, self._options)
            except RequestError as error:
                if not self._leave_out:
                    raise
                self.left_out[name] = str(error)
                self._steps.add(self._steps.of_method)
                continue
            if not subject.logits(subject.image).isfinite().all():
                raw = replace(raw, reason=_NOT_FINITE)
            values = on_image(raw, (subject.image.shape[2], subject.image.shape[3]))
            found = Attribution(name, subject.target, raw, values)
            self._on_map(found)
            self._steps.add()
            if found.problem:
                self._steps.add(self._steps.of_method - 1)
                yield found
                continue
            if self._random_orders:
                test = test or self._test(subject, on_progress)
                if subject.target.is_share:
                    on_progress(f"{name}: deletion and insertion")
                    found = replace(found, faithfulness=test(values))
                else:
                    on_progress(f"{name}: deletion")
                    found = replace(found, movement=test.movement(values))
            if self._random_weights:
                on_progress(f"{name}: random weights")
                found = replace(found, randomized=self._randomized(subject, name, raw))
                self._steps.add(2)
            yield found

    def _test(self, subject: Subject, on_progress: Callable[[str], None]) -> FaithfulnessTest:
        """Measures the random orders of an image, once for all its maps."""
        on_progress(f"{self._random_orders} random orders")
        away = baseline_image(self._options.baseline, subject.image, subject.card)
        return FaithfulnessTest(
            subject, away, random_orders=self._random_orders, on_progress=self._steps.add
        )

    def _randomized(self, subject: Subject, name: MethodName, raw: RawMap) -> RandomizedWeights:
        fixed = replace(self._options, layer=raw.layer)
        return randomized_weights(
            subject, raw.values, lambda changed: METHODS[name].compute(changed, fixed).values
        )


_NOT_FINITE = (
    "The network's logits for this image are NaN or infinite: its numbers overflow, or divide by "
    "0, so that no map means anything."
)
