"""The README of an exported network: how to use it, in a few lines per language."""

from convscope.card import Card
from convscope.engines import EngineName
from convscope.words import visible


def readme(name: str, card: Card, engine: EngineName) -> str:
    """Markdown: what the files are, and code for the command line, Python, JavaScript and C++."""
    height, width = card.input_size
    scales = ", ".join(f"{1 / (255 * std):.8g}" for std in card.std)
    shifts = ", ".join(f"{-mean / std:.8g}" for mean, std in zip(card.mean, card.std, strict=True))
    classes = ", ".join(map(visible, card.classes[:20])) + (
        ", ..." if len(card.classes) > 20 else ""
    )
    return f"""# {visible(name)}

Classes, in the order of the outputs: {classes}.

- `images.onnx` takes images of any size, uint8 (n, height, width, 3), red, green and blue, n images
  of one size, and returns `probabilities` (n, {len(card.classes)}). Scaling and normalization are
  inside.
- `model.onnx` takes the normalized input, float32 (n, {card.in_channels}, {height}, {width}).
  A byte b becomes b · scale + shift, with the scales {scales} and the shifts {shifts}.
- `card.json`: classes and preprocessing. `parity.json`: how exactly it answers as PyTorch
  does, and how fast. Fastest here: {engine}.

Command line:

```sh
convscope predict . photo.jpg
```

Python:

```python
import numpy as np, onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession("images.onnx")
image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
print(session.run(["probabilities"], {{"images": np.asarray(image)[None]}})[0])
```

JavaScript (onnxruntime-web; `context` is that of a canvas with the image):

```js
const session = await ort.InferenceSession.create("images.onnx");
const {{ data, width, height }} = context.getImageData(0, 0, canvas.width, canvas.height);
const rgb = data.filter((_, index) => index % 4 < 3);
const images = new ort.Tensor("uint8", new Uint8Array(rgb), [1, height, width, 3]);
console.log((await session.run({{ images }})).probabilities.data);
```

C++ (`pixels`: width · height · 3 bytes, red, green and blue):

```cpp
Ort::Env env; Ort::Session session(env, "images.onnx", Ort::SessionOptions());
int64_t shape[] = {{1, height, width, 3}};
auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
auto images = Ort::Value::CreateTensor<uint8_t>(memory, pixels, width * height * 3, shape, 4);
const char *in[] = {{"images"}}, *out[] = {{"probabilities"}};
auto result = session.Run(Ort::RunOptions(), in, &images, 1, out, 1);
```
"""
