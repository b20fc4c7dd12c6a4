"""A run with another card, as if it had been trained with it."""

from dataclasses import replace
from pathlib import Path

from convscope.card import Card
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors


def write_card(path: Path, **changes: object) -> Card:
    """Change fields of a run's card, in card.json and in the weights alike; its states go."""
    run = Run(path)
    card = replace(run.read_card(), **changes)
    stored = load_tensors(path / "model.safetensors")
    for state in (path / "last").glob("step-*"):
        state.unlink()
    (path / "model.safetensors").unlink()
    run.write("card.json", card.to_json())
    run.write_weights(stored, card)
    return card
