"""Serves an exported network by KServe's own Python server, instead of `convscope serve`.

pip install kserve onnxruntime and, without PyTorch, convscope (see requirements.txt), then

    python kserve_model.py --model_name=flowers --folder=/models/flowers
    curl -H "Content-Type: application/json" -d '{"instances": ["BASE64", ...]}' \\
        http://127.0.0.1:8080/v1/models/flowers:predict
"""

import argparse
import base64

import numpy as np
from kserve import Model, ModelServer, model_server
from kserve.errors import InvalidInput

from convscope.data.unreadable import UnreadableImage
from convscope.exported.classifier import open_classifier
from convscope.exported.pixels import fitted_pixels


class Network(Model):
    """Classifies image files in base64."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(name)
        self.folder = folder
        self.load()

    def load(self) -> bool:
        self.classify = open_classifier(self.folder)
        self.ready = True
        return self.ready

    def predict(self, payload: dict, headers: dict | None = None) -> dict:  # noqa: ARG002
        card = self.classify.card
        instances = payload.get("instances")
        if not instances or not all(isinstance(text, str) for text in instances):
            raise InvalidInput("`instances` must be a list of image files in base64.")
        try:
            files = [base64.b64decode(text, validate=True) for text in instances]
        except ValueError as error:
            raise InvalidInput(f"An image is not valid base64: {error}.") from error
        try:
            pixels = [fitted_pixels(file, card) for file in files]
        except UnreadableImage as error:
            raise InvalidInput(f"An image {error}.") from error
        found = self.classify(np.stack(pixels)).tolist()
        return {"predictions": [dict(zip(card.classes, row, strict=True)) for row in found]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--folder", required=True)
    arguments, _ = parser.parse_known_args()
    ModelServer().start([Network(arguments.model_name, arguments.folder)])
