"""What one would write with ONNX Runtime alone: `plain_onnxruntime.py MODEL SIZE IMAGE...`."""

import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1])
size, mode = int(sys.argv[2]), "L" if session.get_inputs()[0].shape[1] == 1 else "RGB"
for path in sys.argv[3:]:
    image = ImageOps.fit(Image.open(path).convert(mode), (size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32).reshape(size, size, -1).transpose(2, 0, 1)[None]
    logits = session.run(None, {session.get_inputs()[0].name: (pixels / 255 - 0.45) / 0.22})[0][0]
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    print(path, *(f"{index} {shares[index]:.1%}" for index in np.argsort(-shares)[:3]))
