"""The description of the API, for programs that make clients of it."""

from typing import Any

from convscope.boxes.detections import SHOWN
from convscope.predictions.objects import EDGES
from convscope.serving.models import ServedModel
from convscope.serving.settings import ServeSettings
from convscope.version import __version__

_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}
_REFUSALS = {
    400: "The request is malformed.",
    401: "The token is missing.",
    403: "A page of another site sent the request.",
    404: "There is nothing of this name.",
    408: "The request came too slowly.",
    413: "The body is too long, or has too many images.",
    415: "The body is of another type.",
    421: "The server does not answer to this Host.",
    422: "No image can be read, or a parameter is invalid.",
    431: "The header is too long.",
    503: "As many images wait as may; Retry-After says when to try again.",
    504: "The answer took too long.",
}


def describe(model: ServedModel, settings: ServeSettings) -> dict[str, Any]:
    """The document of OpenAPI 3.1 for a network."""
    finds = model.card.boxes is not None
    return {
        "openapi": "3.1.0",
        "info": {"title": model.name, "version": __version__, "summary": _classes(model)},
        "paths": {
            "/predict": {"post": _predict(settings, finds=finds)},
            **({"/explain": {"post": _explain(settings)}} if settings.explain else {}),
            "/health": {"get": _plain("Whether the server is ready.", 503)},
            "/health/live": {"get": _plain("Whether the server lives.")},
            "/health/ready": {"get": _plain("Whether the server is ready.", 503)},
            "/card": {"get": _plain("Classes and preprocessing of the network.", 401)},
            "/metrics": {"get": _metrics()},
            "/v2": {"get": _plain("The Open Inference Protocol: the server.", 401)},
            "/v2/health/live": {"get": _plain("Whether the server lives.")},
            "/v2/health/ready": {"get": _plain("Whether the server is ready.", 503)},
            "/v2/models/{name}": {"get": _named("Its inputs and outputs.")},
            "/v2/models/{name}/ready": {"get": _named("Whether it is ready.")},
            "/v2/models/{name}/infer": {"post": _infer()},
        },
        "components": {
            "schemas": {
                "Error": _object({"error": _TEXT}, required=["error"]),
                "Prediction": _found_objects() if finds else _prediction(),
                "Predictions": _object(
                    {
                        "model": _TEXT,
                        "version": _TEXT,
                        "error": _TEXT,
                        "predictions": {"type": "array", "items": _ref("Prediction")},
                    },
                    required=["predictions"],
                ),
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _explain(settings: ServeSettings) -> dict[str, Any]:
    described = _predict(settings)
    return {
        **described,
        "summary": "Show what the answer for an image rests on.",
        "description": (
            "One image. `heat_map` is a PNG in base64: the image with the map of `method` over it; "
            "`terms` are the largest terms that add up to the logit of the class."
        ),
        "parameters": [
            {"name": name, "in": "query", "schema": _TEXT, "description": text}
            for name, text in (
                ("class", "The class to explain, by name or index; by default the top-1 class."),
                ("method", "As of `convscope attribute`; by default grad-cam."),
            )
        ],
        "responses": {
            "200": {
                "description": "The heat map and the terms.",
                "content": {"application/json": {"schema": _object({"heat_map": _TEXT})}},
            },
            **{
                code: response for code, response in described["responses"].items() if code != "200"
            },
        },
    }


def _classes(model: ServedModel) -> str:
    classes = model.card.classes
    does = "Classifies images" if model.card.boxes is None else "Finds objects in images"
    return f"{does}: {', '.join(classes[:20])}{', ...' if len(classes) > 20 else ''}"


def _predict(settings: ServeSettings, *, finds: bool = False) -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    form = _object({"image": {"type": "array", "items": binary}})
    base64 = {"type": "string", "contentEncoding": "base64"}
    listed = _object({"image": base64, "images": {"type": "array", "items": base64}})
    return {
        "summary": "Find objects in images." if finds else "Classify images.",
        "description": (
            f"Up to {settings.max_images} images of up to {settings.max_pixels:,} pixels, "
            f"and {settings.max_body} MB. An image that cannot be read has an `error` in its "
            "place; if none can, the status is 422."
        ),
        "parameters": [_MIN_SCORE if finds else _TOP],
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {"schema": binary},
                "application/octet-stream": {"schema": binary},
                "multipart/form-data": {"schema": form},
                "application/json": {"schema": listed},
            },
        },
        "responses": {
            "200": _answer("A prediction for each image, in order.", _ref("Predictions")),
            **_refusals(*(status for status in _REFUSALS if status not in (404, 422))),
            "422": _answer(_REFUSALS[422], _ref("Error")),
        },
    }


_TOP = {
    "name": "top",
    "in": "query",
    "description": "Classes to name for each image.",
    "schema": {"type": "integer", "minimum": 1},
}
_MIN_SCORE = {
    "name": "min_score",
    "in": "query",
    "description": "The least score of an object.",
    "schema": {**_NUMBER, **dict(minimum=0, maximum=1), "default": SHOWN},
}


def _found_objects() -> dict[str, Any]:
    score = {**_NUMBER, "description": "Probability of the class times the confidence."}
    edges = {edge: {**_NUMBER, "description": "In pixels of the image."} for edge in EDGES}
    found = _object({"label": _TEXT, "score": score, **edges}, ["label", "score", *EDGES])
    return _object(
        {
            "name": {**_TEXT, "description": "Of the file, in a form."},
            "width": {"type": "integer", "description": "Of the image, in pixels."},
            "height": {"type": "integer", "description": "Of the image, in pixels."},
            "objects": {"type": "array", "items": found, "description": "By falling score."},
            "error": {**_TEXT, "description": "Why the image could not be read."},
        }
    )


def _prediction() -> dict[str, Any]:
    return _object(
        {
            "name": {**_TEXT, "description": "Of the file, in a form."},
            "label": {
                "type": ["string", "null"],
                "description": "The predicted class; null where it is not sure.",
            },
            "sure": {"type": "boolean", "description": "Of a network that need not answer."},
            "set": {"type": "array", "items": _TEXT, "description": "The prediction set."},
            "labels": {"type": "array", "items": _TEXT, "description": "Where there are several."},
            "probability": {**_NUMBER, "description": "Of the label."},
            "probabilities": {"type": "object", "additionalProperties": _NUMBER},
            "expected_grade": {**_NUMBER, "description": "Of grades: the sum of k times p_k."},
            "error": {**_TEXT, "description": "Why the image could not be read."},
        }
    )


def _infer() -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        **_named("Infer, in JSON or with binary tensors.", 400, 408, 413, 503, 504),
        "requestBody": body,
    }


def _metrics() -> dict[str, Any]:
    text = {"text/plain": {"schema": _TEXT}}
    return {
        "summary": "Metrics for Prometheus.",
        "responses": {"200": {"description": "Counts and times.", "content": text}},
    }


def _named(summary: str, *statuses: int) -> dict[str, Any]:
    name = {"name": "name", "in": "path", "required": True, "schema": _TEXT}
    return {**_plain(summary, 401, 404, *statuses), "parameters": [name]}


def _plain(summary: str, *statuses: int) -> dict[str, Any]:
    said = _answer("What was asked.", {"type": "object"})
    return {"summary": summary, "responses": {"200": said, **_refusals(*statuses)}}


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): _answer(_REFUSALS[status], _ref("Error")) for status in statuses}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
