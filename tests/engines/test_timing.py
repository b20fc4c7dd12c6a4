"""Engines are timed in turn: a slow moment of the machine hits all of them."""

from convscope.card import Card
from convscope.engines import timing

CARD = Card(
    classes=("a", "b"), input_size=(4, 5), in_channels=3, resize_mode="crop",
    mean=(0.5,) * 3, std=(0.25,) * 3,
)  # fmt: skip


def test_the_faster_one_is_found_though_the_machine_is_busy_at_times(monkeypatch):
    monkeypatch.setattr(timing, "_SECONDS", 0.02)
    calls, clock = [], [0.0]
    monkeypatch.setattr(timing, "perf_counter", lambda: clock[0])

    def engine(name, seconds):
        def run(images):
            assert images.shape == (2, 3, 4, 5)
            calls.append(name)
            busy = 10 if len(calls) < 8 else 1  # the first engine's first round
            clock[0] += seconds * busy
            return images

        return run

    engines = {"openvino": engine("openvino", 0.002), "onnxruntime": engine("onnxruntime", 0.004)}
    times = timing.time_engines(engines, CARD, batch_size=2)
    assert times["openvino"].fastest_round < times["onnxruntime"].fastest_round
    assert times["openvino"].p95 >= times["openvino"].p50 >= times["openvino"].fastest_round
    assert times["openvino"].slowest_round > 2 * times["openvino"].fastest_round
    turns = [name for name, before in zip(calls, [None, *calls], strict=False) if name != before]
    assert turns == ["openvino", "onnxruntime"] * 3  # each round, another one begins
    assert times["openvino"].rate == 2 / times["openvino"].p50
