"""One output of a Keras network that has several."""

from typing import Any, cast

from convscope.errors import RequestError
from convscope.strict import shown


def with_output(content: object, output: str, where: str) -> object:
    """A network's JSON with one of its outputs, by the name that it or its layer has in the file.

    Raises RequestError where none is named and there are several, and for one that is not there.
    """
    places = _outputs(content)
    if not output and len(places) < 2:
        return content
    names = ", ".join(places)
    if not output:
        raise RequestError(
            f"{where} has a network of {len(places)} outputs: {names}. Name one behind the file: "
            f"{where}#{next(iter(places))}."
        )
    if output not in places:
        known = f"It has {names}." if places else "It has one output; leave out the #."
        raise RequestError(f"{where} has no output {shown(output)}. {known}")
    model = cast("dict[str, Any]", content)
    return {**model, "config": {**model["config"], "output_layers": [places[output]]}}


def _outputs(content: object) -> dict[str, Any]:
    """Where the outputs come from, by the name of each or of its layer; none of a Sequential."""
    config: Any = cast("dict[str, Any]", content).get("config") if _is_dict(content) else None
    ends: Any = cast("dict[str, Any]", config).get("output_layers") if _is_dict(config) else None
    if isinstance(ends, dict):
        return cast("dict[str, Any]", ends)
    places = cast("list[Any]", ends) if isinstance(ends, list) else []
    if places and isinstance(places[0], str):  # one alone
        places = [places]
    named: dict[str, Any] = {}
    for place in places:
        layer = str(cast("list[Any]", place)[0] if isinstance(place, list) and place else place)
        named[layer if layer not in named else f"{layer}_{len(named)}"] = place
    return named


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)
