"""The way back through a network: the gradients of weights and of every stage's input."""

from dataclasses import replace

from convscope.lanes.back_weights import BackToWeights
from convscope.lanes.batch_norm import write_normalize_back
from convscope.lanes.batch_statistics import write_slopes
from convscope.lanes.direct_conv import Clip, DirectConv, Epilogue, write_direct_conv
from convscope.lanes.graph import BatchNorm, ChannelPad, Convolution, Dropout, Pool, Sum
from convscope.lanes.memory import View
from convscope.lanes.norms import Norms
from convscope.lanes.pointwise import (
    Pass,
    write_pass,
)
from convscope.lanes.pool import PoolBack, covers_once, write_pool_back
from convscope.lanes.stages import Stage
from convscope.lanes.stride_phases import StridePhase, stride_phases
from convscope.lanes.winograd import ConvForward, write_conv_forward


class Back(Norms, BackToWeights):
    """Writes the functions from the loss to the first layer's weights."""

    def _backward(self, stage: Stage) -> None:
        plan, node, value = self.plan, stage.node, stage.value
        self._enter(plan.backward_segment[value])
        self._again(plan.reads_back(value))
        near = (*stage.inputs, value)
        self._touches({"values": near, "gradients": near})
        self._touches_weights(node, value)
        if stage.act and value not in self.settled and not isinstance(node, BatchNorm):
            self._act_back(stage, stage.act)
        self._through(stage)
        self._sums_back(stage)

    def _through(self, stage: Stage) -> None:
        """The way back from a node to its inputs."""
        node, name = stage.node, f"back{stage.value}"
        match node:
            case Convolution():
                self._convolution_back(stage)
            case Pool():
                self._pool_back(stage)
            case Sum():
                for turn, input_value in enumerate(stage.inputs):
                    self._pass_back(f"{name}_{turn}", stage, input_value)
            case BatchNorm():
                self._normalize_back(name, stage)
            case ChannelPad():
                self._pass_back(name, stage, stage.inputs[0], first=node.before)
            case Dropout():
                input_value = stage.inputs[0]
                if self._wants(input_value):
                    gradient = self.plan.gradients[stage.value].view
                    into, adds = self._into(input_value)
                    self._add("backward", self._dropout(name, stage, gradient, into, adds=adds))
            case _:
                self._pass_back(name, stage, stage.inputs[0])

    def _convolution_back(self, stage: Stage) -> None:
        node = stage.node
        assert isinstance(node, Convolution)
        if node.local:
            self._local_back(stage)
            return
        self._weights_back(stage)
        if self._wants(stage.inputs[0]):
            self._input_back(stage)

    def _is_last(self, stage: Stage, input_value: int) -> bool:
        """Whether no other stage adds to an input's gradient after this one."""
        return (
            min(self.plan.users[input_value]) == stage.value
            and stage.inputs.count(input_value) == 1
        )

    def _finish(self, stage: Stage, input_value: int, *, adds: bool) -> Epilogue:
        before = self.plan.stages[input_value]
        if before.act is None or not self._is_last(stage, input_value):
            return Epilogue(adds=adds)
        self.settled.add(input_value)
        return Epilogue(adds=adds, act=before.act, results=self.plan.values[input_value].view)

    def _pass_back(self, name: str, stage: Stage, input_value: int, *, first: int = 0) -> None:
        """The gradient as it is, of a padded volume from map `first` on."""
        if not self._wants(input_value):
            return
        if self.plan.gradients[input_value] == self.plan.gradients[stage.value]:
            self.written.add(input_value)
            return
        into, adds = self._into(input_value)
        source = self.plan.gradients[stage.value].view
        spec = Pass(source=replace(source, base=source.at(first)), dest=into, adds=adds)
        shape = self.plan.stages[input_value].node.shape
        self._add("backward", write_pass(name, self.target, shape, spec))

    def _normalize_back(self, name: str, stage: Stage) -> None:
        plan, input_value = self.plan, stage.inputs[0]
        function = write_slopes(f"slopes{stage.value}", self.target, self._statistics(stage))
        self._opening(function, stage)
        self.code.openings[-1].append(function.name)
        if not self._wants(input_value):
            return
        near = (input_value, stage.value)
        self._touches({"values": near, "gradients": near})
        self._touches_norm(stage.value)
        into, adds = self._into(input_value)
        finish = self._finish(stage, input_value, adds=adds)
        views = (plan.values[input_value].view, plan.gradients[stage.value].view, into)
        norm = self._norm(stage.value)
        self._add("backward", write_normalize_back(name, self.target, norm, views, finish))

    def _pool_back(self, stage: Stage) -> None:
        node, input_value = stage.node, stage.inputs[0]
        assert isinstance(node, Pool)
        if not self._wants(input_value):
            return
        name, before = f"back{stage.value}", self.plan.stages[input_value]
        sides = before.node.shape[1:]
        act = None
        if covers_once(node, (sides[0], sides[1])):
            into, adds = self._into(input_value)
            finish = self._finish(stage, input_value, adds=adds)
            act = finish.act
        else:
            into, adds = self._zeroed(name, input_value), True
        spec = PoolBack(
            source=self.plan.values[input_value].view,
            dest=self.plan.values[stage.value].view,
            gradient=self.plan.gradients[stage.value].view,
            into=into,
            adds=adds,
            act=act,
        )
        self._add("backward", write_pool_back(name, self.target, node, (sides[0], sides[1]), spec))

    def _input_back(self, stage: Stage) -> None:
        node, input_value = stage.node, stage.inputs[0]
        assert isinstance(node, Convolution)
        if node.dense:
            self._dense_back(stage)
            return
        _, height, width = self.plan.stages[input_value].node.shape
        into, adds = self._into(input_value)
        finish = self._finish(stage, input_value, adds=adds)
        if ("input", stage.value) in self.plan.tilings:
            self._tiles_back(stage, into, finish)
            return
        for down in stride_phases(node, 0, height):
            for right in stride_phases(node, 1, width):
                self._phase_back(stage, down, right, into, finish)

    def _tiles_back(self, stage: Stage, into: View, finish: Epilogue) -> None:
        """Each input gathers from the units around it by the filter upside down."""
        node, direction = stage.node, ("input", stage.value)
        assert isinstance(node, Convolution)
        before = node.kernel[0] - 1
        down, right = (padding - before for padding in node.padding)
        spec = ConvForward(
            tiling=self.plan.tilings[direction],
            source=self.plan.gradients[stage.value].view.moved(down, right),
            dest=into,
            filters=self._filters(direction),
            scratch=self.plan.scratch_buffers[direction].start,
            finish=finish,
        )
        self._add("backward", write_conv_forward(f"input{stage.value}", self.target, spec))

    def _phase_back(
        self, stage: Stage, down: StridePhase, right: StridePhase, into: View, finish: Epilogue
    ) -> None:
        """The inputs that take part alike: each gathers from the units that it took part in."""
        node = stage.node
        assert isinstance(node, Convolution)
        name = f"input{stage.value}_{down.first}_{right.first}"
        gradient = self.plan.gradients[stage.value].view
        outs, ins = node.shape[0] // node.groups, self._channels(stage) // node.groups
        taps = node.kernel[0] * node.kernel[1]
        if finish.results is not None:
            results = finish.results.moved(down.first, right.first, stride=node.stride)
            finish = replace(finish, results=results)
        rows = tuple((t * gradient.row, k * node.kernel[1]) for t, k in down.taps)
        columns = tuple((t * gradient.pixel, k) for t, k in right.taps)
        clip = None
        if len(rows) > 3 and node.stride[0] == node.dilation[0] == 1:
            clips_columns = node.stride[1] == node.dilation[1] == 1
            clip = Clip(
                first=down.unit,
                height=node.shape[1],
                left=right.unit,
                width=node.shape[2] if clips_columns else None,
            )
        spec = DirectConv(
            source=gradient.moved(down.unit, right.unit),
            dest=into.moved(down.first, right.first, stride=node.stride),
            outs=ins,
            ins=outs,
            height=down.count,
            width=right.count,
            rows=rows,
            columns=columns,
            weights=self.offsets[node.name][0],
            per_out=taps,
            per_in=ins * taps,
            groups=node.groups,
            per_group=outs * ins * taps,
            finish=finish,
            clip=clip,
        )
        self._add("backward", write_direct_conv(name, self.target, spec))

    def _dense_back(self, stage: Stage) -> None:
        """Every input gathers from all units; rows of inputs take the place of channels."""
        node, input_value = stage.node, stage.inputs[0]
        assert isinstance(node, Convolution)
        channels, height, width = self.plan.stages[input_value].node.shape
        into, adds = self._into(input_value)
        finish = self._finish(stage, input_value, adds=adds)
        plain = all(
            buffer[input_value].is_plain for buffer in (self.plan.gradients, self.plan.values)
        )
        runs = (
            [(0, channels * height * width, 0, 0)]
            if plain
            else [(c, width, c, y) for c in range(channels) for y in range(height)]
        )
        gradient = self.plan.gradients[stage.value].view
        ins = channels * height * width
        for number, (_, count, c, y) in enumerate(runs):
            done = finish
            if finish.results is not None:
                done = replace(finish, results=_run(finish.results, c, y))
            spec = DirectConv(
                source=replace(gradient, row=0, pixel=0),
                dest=_run(into, c, y),
                outs=count,
                ins=node.shape[0],
                height=1,
                width=1,
                rows=((0, 0),),
                columns=((0, 0),),
                weights=self.offsets[node.name][0] + (c * height + y) * width,
                per_out=1,
                per_in=ins,
                finish=done,
            )
            self._add(
                "backward", write_direct_conv(f"input{stage.value}_{number}", self.target, spec)
            )


def _run(view: View, c: int, y: int) -> View:
    """A row of a map and what follows it, each unit a channel of its own."""
    return View(view.at(c, y), 1, 0, 0, space=view.space)
