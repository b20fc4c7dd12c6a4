#!/usr/bin/env bash
# onnxruntime: MaxPool with padding `SAME_UPPER` or `SAME_LOWER` forgets the dilation, and its result is too small.
#
# The padding is that of a window without dilation. A convolution with the same attributes is refused with an error.
#
# Seen with onnxruntime 1.32.0, onnx 1.23.2, an image of 7 x 9, a window of 3 x 3, dilation 2:
#   MaxPool, no dilation    (7, 9)
#   MaxPool, dilation 2     (5, 7)   (the inferred shape and the reference evaluator: (7, 9))
#   Conv, dilation 2        InvalidArgument: Dilation not supported for AutoPadType::SAME_UPPER or ...
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'EOF'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(4)
image = np.random.default_rng(0).normal(size=(1, 1, 7, 9)).astype(np.float32)
weight = np.ones((1, 1, 3, 3), np.float32)


def run(kind, *inputs, **attributes):
    """The sizes that onnxruntime, the reference and shape inference answer."""
    feed = {f"input{k}": value for k, value in enumerate(inputs)}
    node = helper.make_node(kind, list(feed), ["output"], kernel_shape=(3, 3), **attributes)
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in feed.items()]
    graph = helper.make_graph([node], "graph", given, [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    shape = onnx.shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    try:
        size = session.run(None, feed)[0].shape[2:]
    except Exception as error:
        size = type(error).__name__
    return size, ReferenceEvaluator(model).run(None, feed)[0].shape[2:], tuple(axis.dim_value for axis in shape.dim)[2:]


full = (7, 9)
found = {
    "MaxPool, no dilation": run("MaxPool", image, auto_pad="SAME_UPPER"),
    "MaxPool, SAME_UPPER, dilation 2": run("MaxPool", image, auto_pad="SAME_UPPER", dilations=(2, 2)),
    "MaxPool, SAME_LOWER, dilation 2": run("MaxPool", image, auto_pad="SAME_LOWER", dilations=(2, 2)),
    "Conv, SAME_UPPER, dilation 2": run("Conv", image, weight, auto_pad="SAME_UPPER", dilations=(2, 2)),
}
print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__)
print(f"{'':33}onnxruntime, reference, shape inference")
for name, sizes in found.items():
    print(f"{name:33}{sizes}")
expected = [(full, full, full), ((5, 7), full, full), ((5, 7), full, full), ("InvalidArgument", full, full)]
if list(found.values()) != expected:
    sys.exit("changed")
print("as seen before")
EOF
