"""Plans without reuse of memory, so that every volume can be read after a step."""

from dataclasses import replace

import torch

from convscope.lanes import codegen
from convscope.lanes.memory import KEPT, Buffer


class Spread:
    """Engines that are written meanwhile give every volume and gradient memory of its own."""

    def __init__(self, monkeypatch) -> None:
        self.plan = None
        make_plan = codegen.make_plan

        def make_spread(nodes, **how):
            plan = make_plan(nodes, **how)
            for held in (plan.values, plan.gradients):
                for value, buffer in held.items():
                    size = "kept_size" if buffer.space == KEPT else "size"
                    held[value] = replace(buffer, start=getattr(plan, size))
                    setattr(plan, size, held[value].start + buffer.size)
            self.plan = plan
            return plan

        monkeypatch.setattr(codegen, "make_plan", make_spread)

    def volume(self, engine, value):
        """(lanes, c, h, w) of a value, as the first thread's last micro-batch left it."""
        return self._read(engine, self.plan.values[value])

    @staticmethod
    def _read(engine, buffer: Buffer):
        lanes = engine.target.lanes
        channels, height, width = buffer.shape
        floats = torch.from_numpy(
            engine._workspaces[buffer.start * lanes : (buffer.start + buffer.size) * lanes].copy()
        )
        maps = floats.view(channels, -1, buffer.width, lanes).permute(3, 0, 1, 2)
        top, left = buffer.halo.top, buffer.halo.left
        return maps[:, :, top : top + height, left : left + width]
