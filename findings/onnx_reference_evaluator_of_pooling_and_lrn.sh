#!/usr/bin/env bash
# onnx: the reference evaluator is wrong where onnxruntime and PyTorch agree, and shape inference, too.
#
# LRN normalizes as many channels as there are images, and refuses more images than channels. Average pooling with
# `ceil_mode` and padding, max pooling with `SAME_LOWER` and stride 2, and transposed convolution with groups differ as well.
# Shape inference counts a last window that starts beyond the image, which all three drop.
#
# Seen with onnx 1.23.2, onnxruntime 1.32.0, torch 2.13.0, an image of 4 channels of 7 x 9:
#   LRN size 5, channel 0              reference equals the others
#   LRN size 5, channels 1 to 3        reference leaves them as they are, onnxruntime equals PyTorch
#   LRN, 5 images                      reference: IndexError
#   AveragePool 4 x 4, stride 3, padding 1, ceil_mode   reference differs, onnxruntime equals PyTorch
#   MaxPool SAME_LOWER, stride 2       reference (3, 4), onnxruntime and shape inference (4, 5)
#   ConvTranspose, 2 groups            reference: ValueError
#   MaxPool 2 x 2, stride 3, ceil_mode shape inference (3, 4), reference, onnxruntime and PyTorch (3, 3)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'EOF'
import sys

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from torch.nn import functional as F

onnxruntime.set_default_logger_severity(4)
torch.manual_seed(0)
image, weight = torch.randn(1, 4, 7, 9), torch.randn(4, 2, 3, 3)


def run(kind, *inputs, **attributes):
    """The reference's answer or error, onnxruntime's answer, the inferred size."""
    feed = {f"input{k}": value.numpy() for k, value in enumerate(inputs)}
    node = helper.make_node(kind, list(feed), ["output"], **attributes)
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in feed.items()]
    graph = helper.make_graph([node], "graph", given, [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    try:
        reference = ReferenceEvaluator(model).run(None, feed)[0]
    except Exception as error:
        reference = type(error).__name__
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shape = onnx.shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape
    return reference, session.run(None, feed)[0], tuple(axis.dim_value for axis in shape.dim)[2:]


found = {}
lrn, by_onnxruntime, _ = run("LRN", image, size=5, alpha=0.5)
exact = F.local_response_norm(image, 5, alpha=0.5, beta=0.75, k=1.0).numpy()
found["LRN, onnxruntime equals PyTorch"] = np.allclose(by_onnxruntime, exact, atol=1e-5)
found["LRN, reference, channel 0 equals PyTorch"] = np.allclose(lrn[:, 0], exact[:, 0], atol=1e-5)
found["LRN, reference, channels 1 to 3 are the image"] = np.array_equal(lrn[:, 1:], image[:, 1:].numpy())
found["LRN, reference, 5 images"] = run("LRN", torch.randn(5, 4, 7, 9), size=5)[0]
average, by_onnxruntime, _ = run("AveragePool", image, kernel_shape=(4, 4), strides=(3, 3), pads=(1,) * 4, ceil_mode=1)
exact = F.avg_pool2d(image, 4, 3, 1, ceil_mode=True, count_include_pad=False).numpy()
found["AveragePool, onnxruntime equals PyTorch"] = np.allclose(by_onnxruntime, exact, atol=1e-5)
found["AveragePool, reference equals PyTorch"] = np.allclose(average, exact, atol=1e-5)
same, by_onnxruntime, inferred = run("MaxPool", image, kernel_shape=(3, 3), strides=(2, 2), auto_pad="SAME_LOWER")
found["MaxPool SAME_LOWER, sizes"] = same.shape[2:], by_onnxruntime.shape[2:], inferred
grouped, by_onnxruntime, _ = run("ConvTranspose", image, weight, group=2)
exact = F.conv_transpose2d(image, weight, groups=2).numpy()
found["ConvTranspose, onnxruntime equals PyTorch"] = np.allclose(by_onnxruntime, exact, atol=1e-4)
found["ConvTranspose, reference"] = grouped if isinstance(grouped, str) else "answers"
pooled, by_onnxruntime, inferred = run("MaxPool", image, kernel_shape=(2, 2), strides=(3, 3), ceil_mode=1)
exact = F.max_pool2d(image, 2, 3, ceil_mode=True).shape[2:]
found["MaxPool ceil_mode, sizes"] = pooled.shape[2:], by_onnxruntime.shape[2:], tuple(exact), inferred
print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__, "torch", torch.__version__)
for name, value in found.items():
    print(f"{name:47}{value}")
expected = [
    *(True, True, True, "IndexError", True, False),
    ((3, 4), (4, 5), (4, 5)),
    *(True, "ValueError"),
    ((3, 3), (3, 3), (3, 3), (3, 4)),
]
if list(found.values()) != expected:
    sys.exit("changed")
print("as seen before")
EOF
