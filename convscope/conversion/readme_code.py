"""Code for the README of an exported network, by format."""

from convscope.card import Card
from convscope.conversion.formats import FormatName
from convscope.engines import Precision


def code_of(
    format: FormatName,  # noqa: A002
    card: Card,
    precision: Precision,
    *,
    has_images: bool,
) -> str:
    """Markdown: code that prints what the network answers for photo.jpg.

    `has_images` says whether OpenVINO has the graph of images.
    """
    match format:
        case "onnx":
            return _ONNX if card.boxes is None else _ONNX_BOXES
        case "openvino":
            whole = _OPENVINO if card.boxes is None else _OPENVINO_BOXES
            text = whole if has_images else _openvino_input(card)
            return text.replace(*_HINTS) if precision == "bf16" else text
        case "ncnn":
            return _ncnn(card)
        case "torch":
            return _torch(card)
        case "litert":
            return _litert(card)


_ONNX = """Python:

```python
import numpy as np, onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession("images.onnx")
image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
print(session.run(["probabilities"], {"images": np.asarray(image)[None]})[0])
```

JavaScript (onnxruntime-web; `context` is that of a canvas with the image):

```js
const session = await ort.InferenceSession.create("images.onnx");
const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
const rgb = data.filter((_, index) => index % 4 < 3);
const images = new ort.Tensor("uint8", new Uint8Array(rgb), [1, height, width, 3]);
console.log((await session.run({ images })).probabilities.data);
```

C++ (`pixels`: width · height · 3 bytes, red, green and blue):

```cpp
Ort::Env env; Ort::Session session(env, "images.onnx", Ort::SessionOptions());
int64_t shape[] = {1, height, width, 3};
auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
auto images = Ort::Value::CreateTensor<uint8_t>(memory, pixels, width * height * 3, shape, 4);
const char *in[] = {"images"}, *out[] = {"probabilities"};
auto result = session.Run(Ort::RunOptions(), in, &images, 1, out, 1);
```
"""

_ONNX_BOXES = """Python:

```python
import numpy as np, onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession("images.onnx")
image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
boxes, scores, *_ = session.run(None, {"images": np.asarray(image)[None]})
print(boxes, scores)
```
"""

_OPENVINO = """Python, OpenVINO:

```python
import numpy as np, openvino
from PIL import Image, ImageOps

settings = {"INFERENCE_PRECISION_HINT": "f32"}  # by default some processors round to 16 bits
model = openvino.Core().compile_model("images.xml", "CPU", settings)
image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
print(model([np.asarray(image)[None]])["probabilities"])
```

C++, OpenVINO (`pixels`: width · height · 3 bytes, red, green and blue):

```cpp
ov::Core core;
auto exact = ov::hint::inference_precision(ov::element::f32);
auto model = core.compile_model("images.xml", "CPU", exact);
auto request = model.create_infer_request();
request.set_input_tensor(ov::Tensor(ov::element::u8, {1, height, width, 3}, pixels));
request.infer();
const float *probabilities = request.get_tensor("probabilities").data<float>();
```
"""

_OPENVINO_BOXES = """Python, OpenVINO:

```python
import numpy as np, openvino
from PIL import Image, ImageOps

settings = {"INFERENCE_PRECISION_HINT": "f32"}  # by default some processors round to 16 bits
model = openvino.Core().compile_model("images.xml", "CPU", settings)
image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
found = model([np.asarray(image)[None]])
print(found["boxes"], found["scores"])
```
"""

_HINTS = (
    '"f32"}  # by default some processors round to 16 bits',
    '"bf16"}  # in float32 where the processor cannot',
)

_INPUT = """\
from pathlib import Path
from convscope.card import Card
from convscope.exported.pixels import network_input

card = Card.from_json(Path("card.json").read_text("utf-8"))
images = network_input(Path("photo.jpg"), card)
"""

_INPUT_OF_BOXES = f"""\
from PIL import Image, ImageOps
from convscope.boxes.suppression import detections
from convscope.predictions.objects import objects_of
{_INPUT}size = ImageOps.exif_transpose(Image.open("photo.jpg")).size
"""

_PRINT_BOXES = """\
found = detections(outputs.reshape(1, -1), card.boxes, min_score=0.5)
for one in objects_of(found[0], size, card):
    print(one.label, one.score, one.box)
"""


def _input(card: Card) -> str:
    return _INPUT if card.boxes is None else _INPUT_OF_BOXES


def _print(card: Card) -> str:
    return "print(outputs)\n" if card.boxes is None else _PRINT_BOXES


def _openvino_input(card: Card) -> str:
    return f"""Python, OpenVINO; convscope reads the image, and does not import PyTorch:

```python
import openvino
{_input(card)}
settings = {{"INFERENCE_PRECISION_HINT": "f32"}}  # by default some processors round to 16 bits
outputs = openvino.Core().compile_model("model.xml", "CPU", settings)([images])[0]
{_print(card)}```
"""


def _ncnn(card: Card) -> str:
    return f"""Python, ncnn; convscope reads the image, and does not import PyTorch:

```python
import ncnn, numpy as np
{_input(card)}
net = ncnn.Net()
net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
net.load_param("model.ncnn.param")
net.load_model("model.ncnn.bin")
extractor = net.create_extractor()
image = ncnn.Mat(images[0]).clone()
extractor.input("in0", image)
outputs = np.array(extractor.extract("out0")[1])
{_print(card)}```

C++, ncnn (`pixels`: bytes of the input's size; `means` and `norms`: -shift / scale and scale):

```cpp
ncnn::Net net;
net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = false;
net.load_param("model.ncnn.param"); net.load_model("model.ncnn.bin");
ncnn::Mat in = ncnn::Mat::from_pixels(pixels, ncnn::Mat::PIXEL_RGB, width, height), out;
in.substract_mean_normalize(means, norms);
ncnn::Extractor extractor = net.create_extractor();
extractor.input("in0", in); extractor.extract("out0", out);
```
"""


def _litert(card: Card) -> str:
    return f"""Python, LiteRT; convscope reads the image, and does not import PyTorch:

```python
from ai_edge_litert.interpreter import Interpreter
{_input(card)}
interpreter = Interpreter("model.tflite")
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
interpreter.invoke()
outputs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
{_print(card)}```
"""


def _torch(card: Card) -> str:
    if card.boxes is not None:
        return f"""Python, PyTorch; convscope reads the image:

```python
import torch
{_INPUT_OF_BOXES}
net = torch.export.load("model.pt2").module()
with torch.inference_mode():
    outputs = net(torch.from_numpy(images)).numpy()
{_PRINT_BOXES}```
"""
    outputs = "outputs" if card.temperature == 1 else f"outputs / {card.temperature:.9g}"
    activation = "sigmoid({})" if card.task == "multi-label" else "softmax({}, 1)"
    answer = "outputs"
    if card.output == "logits":
        answer = f"torch.{activation.format(outputs)}"
    return f"""Python, PyTorch; convscope reads the image:

```python
import torch
{_INPUT}
net = torch.export.load("model.pt2").module()
with torch.inference_mode():
    outputs = net(torch.from_numpy(images))
    print({answer})
```
"""
