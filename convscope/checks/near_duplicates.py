"""Copies that were saved anew, scaled, turned, mirrored, cropped or brightened; see `similar`."""

from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.checks.signatures import TURNS
from convscope.checks.similar import SimilarPair
from convscope.data.duplicates import count_images

NAME, TITLE = "near-duplicates", "Nearly equal images"


def find_near_duplicates(inspection: Inspection) -> Outcome | None:
    pairs = inspection.similar
    if not pairs:
        return None
    labels = inspection.dataset.labels
    others = sum(labels[pair.first] != labels[pair.second] for pair in pairs)
    told = f" {others:,} of these pairs have two labels." if others else ""
    return Outcome(
        NAME,
        TITLE,
        "warning",
        f"{count_images({pair.second for pair in pairs})} nearly equal to another.{told}",
        "Keep each image and its copies in one split: put them in one group, or remove the copies.",
        tuple(
            Finding((pair.second, pair.first), describe_pair(pair), pair.similarity)
            for pair in sorted(
                pairs,
                key=lambda p: (bool(labels[p.first] == labels[p.second]), -p.similarity, p.first),
            )
        ),
    )


def describe_pair(pair: SimilarPair) -> str:
    """What was done to one of two copies, as in "turned by 180°, cropped, similarity 0.97"."""
    done = [TURNS[pair.turn]] * bool(pair.turn) + ["cropped"] * pair.is_cropped
    return ", ".join([*done, f"similarity {pair.similarity:.2f}"])
