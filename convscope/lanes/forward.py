"""The way forward through a network: every stage's result, and the loss at the end."""

from convscope.lanes.direct_conv import DirectConv, Epilogue, write_direct_conv
from convscope.lanes.graph import (
    Activation,
    BatchNorm,
    ChannelPad,
    Convolution,
    Dropout,
    Pool,
    Sum,
)
from convscope.lanes.loss import CrossEntropy, write_loss
from convscope.lanes.norms import Norms
from convscope.lanes.pointwise import (
    Pass,
    write_activation,
    write_channel_pad,
    write_pass,
    write_sum,
)
from convscope.lanes.pool import write_pool
from convscope.lanes.stages import Stage
from convscope.lanes.winograd import ConvForward, write_conv_forward
from convscope.lanes.writing import window_of


class Forward(Norms):
    """Writes the functions from the image to the loss."""

    def _forward(self, stage: Stage) -> None:
        plan, target, node = self.plan, self.target, stage.node
        name, dest = f"forward{stage.value}", plan.values[stage.value]
        self._enter(plan.forward_segment[stage.value])
        self._again(stage.inputs)
        before = len(self.code.forward)
        self._touches({"values": (*stage.inputs, stage.value)})
        self._touches_weights(node, stage.value)
        self._add("forward", *self._halo(f"{name}_halo", dest.halo, stage.value, gradient=False))
        sources = [plan.values[input_value].view for input_value in stage.inputs]
        match node:
            case Convolution() if ("forward", stage.value) in plan.tilings:
                self._tiled(name, stage)
            case Convolution():
                self._add("forward", write_direct_conv(name, target, self._convolution(stage)))
            case Pool():
                sides = plan.stages[stage.inputs[0]].node.shape[1:]
                self._add("forward", write_pool(name, target, node, sides, sources[0], dest.view))
            case Sum():
                views = (sources[0], sources[1], dest.view)
                self._add("forward", write_sum(name, target, node.shape, stage.act, views))
            case BatchNorm():
                self._normalize(name, stage)
            case ChannelPad():
                self._add(
                    "forward",
                    write_channel_pad(
                        name,
                        target,
                        (plan.stages[stage.inputs[0]].node.shape, node.shape),
                        node.before,
                        (sources[0], dest.view),
                    ),
                )
            case Dropout():
                self._add("forward", self._dropout(name, stage, sources[0], dest.view, adds=False))
                rest = Pass(source=sources[0], dest=dest.view, adds=False)
                self._keep(write_pass(f"{name}_rest", target, node.shape, rest))
                self.code.at_rest[name] = f"{name}_rest"
            case _:
                assert isinstance(node, Activation)
                assert stage.act is not None
                self._add(
                    "forward",
                    write_activation(name, target, node.shape, stage.act, sources[0], dest.view),
                )
        self.made[stage.value] = self.code.forward[before:]
        self.current.add(stage.value)
        self._sums_forward(stage.value)

    def _convolution(self, stage: Stage) -> DirectConv:
        node = stage.node
        assert isinstance(node, Convolution)
        weights, bias = self.offsets[node.name]
        source = self.plan.values[stage.inputs[0]].view
        groups, outs = node.groups, node.shape[0] // node.groups
        ins = node.weight.shape[-3] if node.weight.dim() > 2 else self._channels(stage)
        taps = node.kernel[0] * node.kernel[1]
        return DirectConv(
            source=window_of(node, source),
            dest=self.plan.values[stage.value].view,
            outs=outs,
            ins=ins,
            height=node.shape[1],
            width=node.shape[2],
            rows=tuple(
                (r * node.dilation[0] * source.row, r * node.kernel[1])
                for r in range(node.kernel[0])
            ),
            columns=tuple((k * node.dilation[1] * source.pixel, k) for k in range(node.kernel[1])),
            weights=weights,
            per_out=ins * taps,
            per_in=taps,
            groups=groups,
            per_group=outs * ins * taps,
            local=node.shape[0] * ins * taps if node.local else 0,
            bias=bias,
            own_bias=node.shape[0] if node.local else 0,
            finish=Epilogue(act=stage.act),
        )

    def _tiled(self, name: str, stage: Stage) -> None:
        node = stage.node
        assert isinstance(node, Convolution)
        direction = "forward", stage.value
        spec = ConvForward(
            tiling=self.plan.tilings[direction],
            source=window_of(node, self.plan.values[stage.inputs[0]].view),
            dest=self.plan.values[stage.value].view,
            filters=self._filters(direction),
            scratch=self.plan.scratch_buffers[direction].start,
            bias=self.offsets[node.name][1],
            finish=Epilogue(act=stage.act),
        )
        self._add("forward", write_conv_forward(name, self.target, spec))

    def _loss(self, last: int) -> None:
        plan = self.plan
        self._touches({"values": [last], "gradients": [last]}, head=True)
        self.regions["%C"] = [(0, plan.stages[last].node.shape[0])]
        spec = CrossEntropy(
            logits=plan.values[last].start,
            gradient=plan.gradients[last].start,
            classes=plan.stages[last].node.shape[0],
        )
        self._learn(write_loss("loss", self.target, spec))
        self.code.logits = spec.logits, spec.classes
        self.written.add(last)
