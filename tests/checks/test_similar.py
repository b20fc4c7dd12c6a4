"""Copies are found whatever was done to them, strangers are not, however alike they are."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from convscope.checks import signatures
from convscope.checks import similar as similar_module
from convscope.checks.near_duplicates import describe_pair
from convscope.checks.neighbors import Neighbors
from convscope.checks.similar import SIMILAR, Search, find_similar
from convscope.checks.turned_products import by_parity, by_swap_and_parity, largest_products
from tests.checks.pictures import COPIES, TURN, cropped, disc, leaves, saved

PIL_TURNS = [
    None, TURN.FLIP_LEFT_RIGHT, TURN.FLIP_TOP_BOTTOM, TURN.ROTATE_180, TURN.TRANSPOSE,
    TURN.ROTATE_270, TURN.ROTATE_90, TURN.TRANSVERSE,
]  # fmt: skip


def thumbnails(images):
    side = signatures.SIDE
    small = (
        image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR) for image in images
    )
    return np.stack([np.asarray(image) for image in small])


def gray(images):
    return thumbnails(images)[..., 0].astype(np.float32)


def similar(images):
    found = find_similar(
        thumbnails(images), np.arange(len(images)), on_progress=lambda done, total: None
    )
    return {(pair.first, pair.second): pair for pair in found}


@pytest.fixture(scope="module")
def strangers():
    random = np.random.default_rng(0)
    return [leaves(random) for _ in range(96)]


def test_every_copy_is_found_with_what_was_done_and_no_stranger(strangers):
    copies = [change(image) for image, change in zip(strangers, COPIES.values(), strict=False)]
    found = similar([*strangers, *copies])
    assert set(found) == {(i, 96 + i) for i in range(len(COPIES))}
    for i, done in enumerate(COPIES):
        told = describe_pair(found[i, 96 + i])
        if done in {"saved anew", "scaled", "brightened"}:
            assert told.startswith("similarity")
        else:
            assert told.startswith(f"{done}, similarity")


def test_discs_that_differ_in_details_alone_are_strangers_and_their_copies_are_found():
    random = np.random.default_rng(1)
    discs = [disc(random) for _ in range(120)]
    whole = {name: change for name, change in COPIES.items() if "cropped" not in name}
    copies = [change(image) for image, change in zip(discs, whole.values(), strict=False)]
    assert set(similar([*discs, *copies])) == {(i, 120 + i) for i in range(len(whole))}


def with_details_of(image, other):
    """What is large in one image, what is small in another of the same size."""
    blurred = image.filter(ImageFilter.GaussianBlur(10))
    small = other.filter(ImageFilter.GaussianBlur(4))
    details = np.asarray(other, np.float32) - np.asarray(small, np.float32)
    values = np.asarray(blurred, np.float32) * 0.8 + 0.8 * details + 20
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def test_images_that_are_alike_from_afar_alone_are_strangers(strangers, monkeypatch):
    several = [with_details_of(strangers[0], other) for other in strangers[1:5]]
    copies = [saved(several[0], quality=60), cropped(several[1].transpose(TURN.FLIP_LEFT_RIGHT))]
    images = [*strangers[5:], *several, *copies]
    assert set(similar(images)) == {(91, 95), (92, 96)}
    monkeypatch.setattr(similar_module, "details_agree", lambda *_images: True)
    assert set(similar(images)) > {(91, 92), (91, 93), (91, 94)}


def test_images_of_one_color_are_not_compared():
    assert similar([Image.new("RGB", (40, 40), color) for color in ("red", "red", "blue")]) == {}


def test_the_matrix_of_cosines_is_that_of_scipy():
    fft = pytest.importorskip("scipy.fft")
    image = np.random.default_rng(0).normal(size=(32, 32))
    cosines = signatures.cosine_matrix()
    expected = fft.dctn(image, norm="ortho")[: signatures.N, : signatures.N]
    np.testing.assert_allclose(cosines @ image @ cosines.T, expected, atol=1e-12)


@pytest.mark.parametrize("turn", range(8))
def test_turned_coefficients_are_those_of_the_turned_image(turn, strangers):
    square = strangers[0].convert("L").resize((32, 32))
    after = square if PIL_TURNS[turn] is None else square.transpose(PIL_TURNS[turn])
    vectors = signatures.coefficients(gray([square]))
    turned = signatures.turned(vectors, turn)
    np.testing.assert_allclose(turned, signatures.coefficients(gray([after])), atol=1e-5)
    whitening = signatures.Whitening.of(signatures.coefficients(gray(strangers)))
    np.testing.assert_allclose(
        whitening.signatures(turned),
        signatures.turned(whitening.signatures(vectors), turn),
        atol=1e-4,
    )


def test_the_largest_products_are_those_of_all_turns():
    random = np.random.default_rng(0)
    first, second = (random.normal(size=(n, 64)).astype(np.float32) for n in (70, 300))
    turns = [signatures.turned(first, turn) @ second.T for turn in range(8)]
    found = largest_products(by_swap_and_parity(first), by_parity(second).transpose(0, 2, 1))
    np.testing.assert_allclose(found, np.max(turns, axis=0), atol=1e-4)


def test_the_likely_pairs_are_those_of_a_plain_search(strangers, monkeypatch):
    monkeypatch.setattr(similar_module, "ROWS", 7)
    monkeypatch.setattr(similar_module, "COLUMNS", 11)
    search = Search.of(thumbnails(strangers[:40]), np.arange(40))
    products = np.full((40, 40), -1.0)
    for turn in range(8):
        for mine, theirs in (
            (search.whole, search.whole), (search.center, search.whole),
            (search.whole, search.center),
        ):  # fmt: skip
            one = signatures.turned(mine, turn) @ theirs.T
            products = np.maximum(products, np.triu(one, 1) + np.triu(one, 1).T)
    np.fill_diagonal(products, -1)
    expected = {
        tuple(sorted((i, int(j))))
        for i in range(40)
        for j in np.argsort(-products[i])[:4]
        if products[i, j] > 0.3
    }
    found = search.likely_pairs(lambda done, total: None)
    assert {tuple(pair) for pair in found.tolist()} == expected


def test_neighbors_keep_the_best_of_all_blocks():
    random = np.random.default_rng(0)
    products = random.random((30, 30), dtype=np.float32)
    products = np.maximum(products, products.T)
    neighbors = Neighbors.none(30, 3, least=0.5)
    for start in range(0, 30, 7):
        for begin in range(start, 30, 11):
            neighbors.add(start, begin, products[start : start + 7, begin : begin + 11])
    neighbors.pairs()  # brings in what is pending
    np.fill_diagonal(products, 0)
    for i in range(30):
        best = [j for j in np.argsort(-products[i])[:3] if products[i, j] > 0.5]
        assert neighbors.indices[i][neighbors.indices[i] >= 0].tolist() == best


def test_a_similarity_is_at_least_the_threshold_and_at_most_one(strangers):
    (pair,) = similar([*strangers[:20], strangers[3].transpose(TURN.ROTATE_90)]).values()
    assert SIMILAR <= pair.similarity <= 1
