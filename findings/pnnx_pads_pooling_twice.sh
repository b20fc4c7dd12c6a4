#!/usr/bin/env bash
# pnnx: an ONNX MaxPool padded by 1 at the beginning of its axes and by 0 at their end is padded twice.
#
# pnnx writes a layer Padding before the layer Pooling, and leaves the padding of 1 in the Pooling, too. The maps are
# then larger by one, and ncnn answers other numbers without a word.
#
# Seen with pnnx 20261020, ncnn 1.0.20261020, maps of 8 x 8, a window of 3 x 3, stride 2, pads 1 1 0 0:
#   the graph's own answer    4 x 4
#   ncnn                      5 x 5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 ncnn==1.0.20261020
"$folder/venv/bin/pip" install --quiet --no-deps pnnx==20261020 # its program alone, without PyTorch
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import ncnn
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

maps = np.random.default_rng(0).normal(size=(1, 2, 8, 8)).astype(np.float32)
node = helper.make_node("MaxPool", ["maps"], ["pooled"], kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 0, 0))
values = [helper.make_tensor_value_info("maps", TensorProto.FLOAT, maps.shape)]
results = [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, None)]
graph = helper.make_graph([node], "graph", values, results)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), "pool.onnx")
session = onnxruntime.InferenceSession("pool.onnx", providers=["CPUExecutionProvider"])
expected = session.run(None, {"maps": maps})[0][0].shape

program = Path(find_spec("pnnx").origin).parent / "pnnx"
subprocess.run([program, "pool.onnx", "inputshape=[1,2,8,8]", "fp16=0"], check=True, capture_output=True)
net = ncnn.Net()
net.load_param("pool.ncnn.param")
net.load_model("pool.ncnn.bin")
extractor = net.create_extractor()
extractor.input("in0", ncnn.Mat(maps[0]))
found = np.array(extractor.extract("out0")[1]).shape
print(f"onnxruntime {expected}, ncnn {found}")
print(*Path("pool.ncnn.param").read_text().splitlines()[2:], sep="\n")
if (expected, found) != ((2, 4, 4), (2, 5, 5)):
    sys.exit("changed")
print("as seen before")
EOF
