#!/usr/bin/env bash
# PyTorch: LPPool does not take absolute values, so an odd norm of negative numbers is no norm.
#
# The 1-norm of a window adds the numbers with their signs, and the 3-norm of a window with a negative sum of cubes is
# nan. The operator LpPool of ONNX takes absolute values.
#
# Seen with torch 2.13.0, onnxruntime 1.32.0, for the window -1, 1, -2, 1:
#   p    PyTorch  onnxruntime  norm
#   1    -1.000        5.000   5.000
#   2     2.646        2.646   2.646
#   3       nan        2.224   2.224
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'EOF'
import math
import sys

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch.nn import functional as F

window = torch.tensor([[[[-1.0, 1.0], [-2.0, 1.0]]]])


def by_onnxruntime(p):
    node = helper.make_node("LpPool", ["x"], ["y"], kernel_shape=(2, 2), p=p)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", (1, 1, 2, 2)), ("y", (1, 1, 1, 1)))]
    graph = helper.make_graph([node], "graph", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return float(session.run(None, {"x": window.numpy()})[0].item())


print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__)
print("p    PyTorch  onnxruntime  norm")
rows = []
for p in (1, 2, 3):
    exact = float((window.abs() ** p).sum() ** (1 / p))
    rows.append((F.lp_pool2d(window, p, 2).item(), by_onnxruntime(p), exact))
    print(f"{p}{rows[-1][0]:10.3f}{rows[-1][1]:13.3f}{exact:8.3f}")
same = np.allclose([row[1] for row in rows], [row[2] for row in rows], rtol=1e-5)
if not (rows[0][0] == -1 and math.isclose(rows[1][0], rows[1][2], rel_tol=1e-5) and math.isnan(rows[2][0]) and same):
    sys.exit("changed")
print("as seen before")
EOF
