"""The way back to the weights: their gradients, and for a locally connected layer its input's."""

from convscope.lanes.filter_products import (
    FilterProducts,
    write_filter_products,
    write_filters_back,
)
from convscope.lanes.graph import Convolution
from convscope.lanes.local import write_local_back
from convscope.lanes.outer_product import OuterProduct, write_outer_product
from convscope.lanes.stages import Stage
from convscope.lanes.weights import (
    Correlation,
    write_bias,
    write_correlation,
    write_fold,
    write_zeros,
)
from convscope.lanes.winograd import ConvGradWeights, write_conv_grad_weights
from convscope.lanes.writing import Writing, window_of


class BackToWeights(Writing):
    """Writes what adds to the gradients of weights and biases."""

    def _local_back(self, stage: Stage) -> None:
        node, input_value = stage.node, stage.inputs[0]
        assert isinstance(node, Convolution)
        name = f"back{stage.value}"
        weights, bias = self.offsets[node.name]
        into = self._zeroed(name, input_value) if self._wants(input_value) else None
        self._add(
            "backward",
            write_local_back(
                name,
                self.target,
                node,
                source=self.plan.values[input_value].view,
                gradient=self.plan.gradients[stage.value].view,
                into=into,
                weights=weights,
                bias=bias,
            ),
        )
        if into is not None:  # what was written beyond the edges
            buffer = self.plan.gradients[input_value]
            self._add(
                "backward", *self._halo(f"{name}_halo", buffer.halo, input_value, gradient=True)
            )

    def _weights_back(self, stage: Stage) -> None:
        plan, target, node, value = self.plan, self.target, stage.node, stage.value
        assert isinstance(node, Convolution)
        weights, bias = self.offsets[node.name]
        gradient, source = plan.gradients[value], plan.values[stage.inputs[0]]
        name = f"weights{value}"
        outs, height, width = node.shape
        if bias is not None:
            self._add(
                "backward",
                write_bias(
                    f"bias{value}", target, gradient=gradient.view, outs=outs, height=height,
                    width=width, bias=bias,
                ),
            )  # fmt: skip
        if node.dense and source.is_plain:
            outer = OuterProduct(
                inputs=source, ins=node.weight.numel() // outs, gradients=gradient,
                outs=outs, weights=weights, scratch=plan.scratch[value],
            )  # fmt: skip
            self._add("backward", write_outer_product(name, target, outer))
            return
        if value in plan.by_maps:
            self._products(name, stage)
            return
        vectors = plan.vectors.get(value)
        count = node.weight.numel()
        if ("weights", value) in plan.tilings:
            slopes = self._slopes(stage, vectors)
            self._add("backward", write_conv_grad_weights(name, target, slopes))
        else:
            correlation = self._correlation(stage, vectors)
            self._add("backward", write_correlation(name, target, correlation))
        if vectors is not None:
            zeros = write_zeros(f"{name}_zero", target, start=vectors, count=count)
            fold = write_fold(
                f"{name}_fold", target, lanes_at=vectors, count=count, weights=weights
            )
            self._add("before", zeros)
            self._add("after", fold)

    def _products(self, name: str, stage: Stage) -> None:
        """Sums of a whole segment; in a step of one piece, of each micro-batch."""
        plan, target, value = self.plan, self.target, stage.value
        node, direction = stage.node, ("weights", value)
        assert isinstance(node, Convolution)
        sums = plan.scratch_buffers["products", value]
        spec = FilterProducts(
            tiling=plan.tilings[direction],
            in_a_row=plan.by_maps[value],
            source=window_of(node, plan.values[stage.inputs[0]].view),
            gradient=plan.gradients[value].view,
            weights=self.offsets[node.name][0],
            scratch=plan.scratch_buffers[direction].start,
            sums=sums.start,
        )
        zeros = write_zeros(f"{name}_zero", target, start=sums.start, count=sums.size)
        end = write_filters_back(f"{name}_end", target, spec)
        products = write_filter_products(name, target, spec)
        if plan.segments == 1:
            self._add("backward", zeros, products, end)
            return
        for function, when in ((zeros, self.code.starts), (end, self.code.ends)):
            self._keep(function)
            when[-1].append(function.name)
        self._add("backward", products)

    def _slopes(self, stage: Stage, vectors: int | None) -> ConvGradWeights:
        node, direction = stage.node, ("weights", stage.value)
        assert isinstance(node, Convolution)
        return ConvGradWeights(
            tiling=self.plan.tilings[direction],
            source=window_of(node, self.plan.values[stage.inputs[0]].view),
            gradient=self.plan.gradients[stage.value].view,
            weights=self.offsets[node.name][0],
            lanes_at=vectors,
            scratch=self.plan.scratch_buffers[direction].start,
        )

    def _correlation(self, stage: Stage, vectors: int | None) -> Correlation:
        node, source = stage.node, self.plan.values[stage.inputs[0]].view
        assert isinstance(node, Convolution)
        taps = tuple(
            r * node.dilation[0] * source.row + k * node.dilation[1] * source.pixel
            for r in range(node.kernel[0])
            for k in range(node.kernel[1])
        )
        return Correlation(
            source=window_of(node, source),
            gradient=self.plan.gradients[stage.value].view,
            outs=node.shape[0] // node.groups,
            ins=self._channels(stage) // node.groups,
            height=node.shape[1],
            width=node.shape[2],
            taps=taps,
            weights=self.offsets[node.name][0],
            groups=node.groups,
            per_group=node.weight.numel() // node.groups,
            lanes_at=vectors,
        )
