"""Engines of OpenVINO that begin at the same time, each in a thread of its own."""

import subprocess
import sys

import pytest

pytest.importorskip("openvino")

BEGIN = """
import os, sys, threading
import numpy as np, openvino
from openvino import opset13 as op
from convscope.engines.openvino_engine import open_model

image = op.parameter([1, 3], np.float32)
openvino.save_model(openvino.Model([op.relu(image)], [image]), sys.argv[1], compress_to_fp16=False)
engines = [open_model(sys.argv[1], threads=1) for _ in range(2)]
together, answers = threading.Barrier(2), []


def begin(engine):
    together.wait()
    answers.append(engine(np.float32([[-1, 0, 2]])).tolist())


threads = [threading.Thread(target=begin, args=(engine,), daemon=True) for engine in engines]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(answers, flush=True)
os._exit(0)
"""


def test_they_do_not_wait_for_each_other(tmp_path):
    begun = [  # several, for chance decides which thread comes first
        subprocess.Popen(
            [sys.executable, "-c", BEGIN, str(tmp_path / f"{number}.xml")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    try:
        said = [one.communicate(timeout=60)[0] for one in begun]
    finally:
        for one in begun:
            one.kill()
    assert said == ["[[[0.0, 0.0, 2.0]], [[0.0, 0.0, 2.0]]]\n"] * 3
