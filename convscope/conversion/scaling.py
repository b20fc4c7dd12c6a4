"""Scale an image of any size to the network's, in the text form of ONNX, as training does.

Two matrix multiplications with the weights of Pillow's filters, which are computed in the graph
from the image's size. ONNX has an operation Resize, too, but its runtimes differ in it, along the
border by up to 10 of 255, and it has no boxes that begin within a pixel. Sizes are computed by the
rules of `convscope.data.fit`, in integers and doubles. The bytes differ from those of training by
at most 2.
"""

from convscope.card import Card
from convscope.data.resample import BLOCKS, GAP

NUMBERS = """
axis_1 = Constant <value = int64[1] {1}> ()
zero = Constant <value = double {0.0}> ()
half = Constant <value = double {0.5}> ()
one = Constant <value = double {1.0}> ()
two = Constant <value = double {2.0}> ()
float_zero = Constant <value = float {0.0}> ()
float_half = Constant <value = float {0.5}> ()
float_one = Constant <value = float {1.0}> ()
float_white = Constant <value = float {255.0}> ()
"""

# In the following, @ is the axis, x or y. Of each, as doubles: `side` of the image, `input` of the
# network; `begin` and `end` of the box that is scaled, and the `count` of pixels that it becomes.

_SIDES = """
@_index = Constant <value = int64 {{{index}}}> ()
@_side_int = Gather (sides, @_index)
@_side = Cast <to = 11> (@_side_int)
@_input = Constant <value = double {{{input}}}> ()
"""

_LARGEST_BOX = """
x_wish_ = Mul (x_input, y_side)
x_wish = Div (x_wish_, y_input)
y_wish_ = Mul (y_input, x_side)
y_wish = Div (y_wish_, x_input)
"""
_LARGEST_BOX_OF_AXIS = """
@_length = Min (@_side, @_wish)
@_rest = Sub (@_side, @_length)
@_fit_begin = Div (@_rest, two)
@_fit_end = Add (@_fit_begin, @_length)
@_count = Identity (@_input)
"""
"""The largest box in the center with the proportions of the input."""

_SHORTER = """
resize = Constant <value = int64 {{{size}}}> ()
shorter = Min (x_side_int, y_side_int)
"""
_CENTER_OF_SCALED = """
@_product = Mul (resize, @_side_int)
@_scaled_int = Div (@_product, shorter)
@_scaled = Cast <to = 11> (@_scaled_int)
@_margins = Sub (@_scaled, @_input)
@_margin = Div (@_margins, two)
@_first = Round (@_margin)
@_last = Add (@_first, @_input)
@_first_ = Mul (@_first, @_side)
@_last_ = Mul (@_last, @_side)
@_fit_begin = Div (@_first_, @_scaled)
@_fit_end = Div (@_last_, @_scaled)
@_count = Identity (@_input)
"""
"""The center of the image that is scaled to a shorter side of `resize`."""

_WHOLE_IMAGE = """
@_fit_begin = Identity (zero)
@_fit_end = Identity (@_side)
"""
_SCALES = """
x_scale = Div (x_input, x_side)
y_scale = Div (y_input, y_side)
scale = Min (x_scale, y_scale{limit})
"""
_KEPT_IN_PROPORTION = """
@_wish = Mul (@_side, scale)
@_wish_int = Round (@_wish)
@_least = Max (@_wish_int, one)
@_count = Min (@_least, @_input)
"""

_FACTOR = """
@_long = Sub (@_fit_end, @_fit_begin)
@_factor = Div (@_long, @_count)
@_floor = Floor (@_fit_begin)
@_ceil = Ceil (@_fit_end)
@_from_pixel = Equal (@_floor, @_fit_begin)
@_to_pixel = Equal (@_ceil, @_fit_end)
@_of_pixels = And (@_from_pixel, @_to_pixel)
"""
_IS_TORCH = """
least_factor = Min (x_factor, y_factor)
most_factor = Max (x_factor, y_factor)
reducing = Constant <value = double {{{reducing}}}> ()
is_shrunk = GreaterOrEqual (least_factor, one)
is_little = Less (most_factor, reducing)
of_pixels = And (x_of_pixels, y_of_pixels)
has_pixels = Or (is_shrunk, of_pixels)
is_torch = And (is_little, has_pixels)
"""
"""Whether `convscope.data.resize` has PyTorch scale: what is shrunk little, or is whole pixels."""
_TORCH_BOX = """
@_begin = Where (is_torch, @_floor, @_fit_begin)
@_end = Where (is_torch, @_ceil, @_fit_end)
"""
_PILLOW_BOX = """
@_begin = Identity (@_fit_begin)
@_end = Identity (@_fit_end)
"""

_BLOCKS = """
@_box = Sub (@_end, @_begin)
@_step = Div (@_box, @_count)
@_gap = Constant <value = double {{{gap}}}> ()
@_in_gaps = Div (@_step, @_gap)
@_block_ = Floor (@_in_gaps)
@_block = Max (@_block_, one)
@_spare_ = Constant <value = double {{{spare}}}> ()
@_spare = Mul (@_spare_, @_step)
@_reach_begin = Sub (@_begin, @_spare)
@_reach_end = Add (@_end, @_spare)
@_reach_floor = Floor (@_reach_begin)
@_reach_ceil = Ceil (@_reach_end)
@_safe_begin = Max (@_reach_floor, zero)
@_safe_end = Min (@_reach_ceil, @_side)
@_is_reduced = Greater (@_block, one)
@_seen_begin = Where (@_is_reduced, @_safe_begin, zero)
@_seen_end = Where (@_is_reduced, @_safe_end, @_side)
"""
"""Pillow averages blocks of pixels first where a box shrinks much; `seen` is what they begin in."""
_TORCH_SEEN = """
@_first_seen = Where (is_torch, @_begin, @_seen_begin)
@_end_seen = Where (is_torch, @_end, @_seen_end)
"""
_PILLOW_SEEN = """
@_first_seen = Identity (@_seen_begin)
@_end_seen = Identity (@_seen_end)
"""

_DISTANCES = """
@_free = Sub (@_input, @_count)
@_half_free = Div (@_free, two)
@_offset = Floor (@_half_free)
@_numbers = Range (zero, @_input, one)
@_places = Sub (@_numbers, @_offset)
@_middles = Add (@_places, half)
@_moved = Mul (@_middles, @_step)
@_centers = Add (@_moved, @_begin)
@_column = Unsqueeze (@_centers, axis_1)
@_pixels = Range (zero, @_side, one)
@_pixel_middles = Add (@_pixels, half)
@_of_first = Sub (@_pixel_middles, @_first_seen)
@_in_blocks = Div (@_of_first, @_block)
@_block_numbers = Floor (@_in_blocks)
@_block_places = Mul (@_block_numbers, @_block)
@_block_begins = Add (@_block_places, @_first_seen)
@_block_half = Mul (@_block, half)
@_block_middles = Add (@_block_begins, @_block_half)
@_left = Sub (@_end_seen, @_block_begins)
@_in_block = Min (@_left, @_block)
@_distances = Sub (@_block_middles, @_column)
@_width = Max (@_step, one)
@_in_widths = Div (@_distances, @_width)
@_signed = Cast <to = 1> (@_in_widths)
@_t = Abs (@_signed)
"""
"""How far each pixel, or its block, is from the center of each output, in widths of the filter."""

_TRIANGLE = """
@_slope = Sub (float_one, @_t)
@_kernel = Relu (@_slope)
"""
"""max(0, 1 - t)"""

_CUBIC_NUMBERS = """
c2 = Constant <value = float {2.0}> ()
c4 = Constant <value = float {4.0}> ()
c15 = Constant <value = float {1.5}> ()
c25 = Constant <value = float {2.5}> ()
cm05 = Constant <value = float {-0.5}> ()
"""
_CUBIC = """
@_near1 = Mul (c15, @_t)
@_near2 = Sub (@_near1, c25)
@_near3 = Mul (@_near2, @_t)
@_near4 = Mul (@_near3, @_t)
@_near = Add (@_near4, float_one)
@_far1 = Mul (cm05, @_t)
@_far2 = Add (@_far1, c25)
@_far3 = Mul (@_far2, @_t)
@_far4 = Sub (@_far3, c4)
@_far5 = Mul (@_far4, @_t)
@_far = Add (@_far5, c2)
@_is_near = Less (@_t, float_one)
@_is_far = Less (@_t, c2)
@_tail = Where (@_is_far, @_far, float_zero)
@_kernel = Where (@_is_near, @_near, @_tail)
"""
"""Of Keys with a = -0.5: 1.5 t³ - 2.5 t² + 1 to 1, -0.5 t³ + 2.5 t² - 4 t + 2 to 2, then 0."""

_MATRIX = """
@_from = GreaterOrEqual (@_pixel_middles, @_first_seen)
@_to = Less (@_pixel_middles, @_end_seen)
@_is_seen = And (@_from, @_to)
@_shares_ = Div (@_block, @_in_block)
@_shares = Cast <to = 1> (@_shares_)
@_seen_shares = Where (@_is_seen, @_shares, float_zero)
@_seen = Mul (@_kernel, @_seen_shares)
@_total = ReduceSum (@_seen, axis_1)
@_normal = Div (@_seen, @_total)
@_after = GreaterOrEqual (@_places, zero)
@_before = Less (@_places, @_count)
@_inside = And (@_after, @_before)
@_mask = Unsqueeze (@_inside, axis_1)
@_weights = Where (@_mask, @_normal, float_zero)
"""
"""(the input's side, the image's side); rows of zeros are the black around an image."""

_MATRICES = """
x_weights_t = Transpose <perm = [1, 0]> (x_weights)
"""
_ALONG_X = """
raw_#x = MatMul ({maps}, x_weights_t)
raised_#x = Add (raw_#x, float_half)
floor_#x = Floor (raised_#x)
{result} = Clip (floor_#x, float_zero, float_white)
"""
_ALONG_Y = """
raw_#y = MatMul (y_weights, {maps})
raised_#y = Add (raw_#y, float_half)
floor_#y = Floor (raised_#y)
{result} = Clip (floor_#y, float_zero, float_white)
"""
"""To bytes each time, as Pillow does: a half goes up."""

_ORDER = """
@_seen_side = Sub (@_end_seen, @_first_seen)
@_in_blocks_ = Div (@_seen_side, @_block)
@_reduced_side = Ceil (@_in_blocks_)
@_lost = Sub (@_reduced_side, @_count)
"""
_VERTICAL_FIRST = """
twice_x = Mul (x_lost, two)
is_taller = Greater (y_lost, zero)
is_much_taller = Greater (y_lost, twice_x)
is_vertical_first = And (is_taller, is_much_taller)
pixels = If (is_vertical_first) <
then_branch = vertical () => (float[n, c, height, width] pixels_v) {{
{vertical}}}, else_branch = horizontal () => (float[n, c, height, width] pixels_h) {{
{horizontal}}}>
"""
"""The order in which Pillow goes along the axes; cubic values are cut to bytes in between."""


def _resampled(*, is_cubic: bool) -> str:
    """From `colors` and the weights to `pixels`: along x, then y, of a cubic filter as Pillow."""
    if not is_cubic:
        first = _ALONG_X.format(maps="colors", result="half_done")
        return (first + _ALONG_Y.format(maps="half_done", result="pixels")).replace("#", "")
    horizontal = _ALONG_X.format(maps="colors", result="done_h") + _ALONG_Y.format(
        maps="done_h", result="pixels_h"
    )
    vertical = _ALONG_Y.format(maps="colors", result="done_v") + _ALONG_X.format(
        maps="done_v", result="pixels_v"
    )
    branches = _VERTICAL_FIRST.format(
        vertical=vertical.replace("#", "v"), horizontal=horizontal.replace("#", "h")
    )
    return _by_axis(_ORDER) + branches


def scaling(card: Card) -> str:
    """From `colors`, (n, c, h, w), to `pixels` of the network's input size."""
    height, width = card.input_size
    is_cubic, is_fast = card.interpolation == "bicubic", card.reading == "fast"
    may_be_torch = is_fast and not is_cubic
    blocks = _BLOCKS.format(gap=GAP, spare=1.5 if is_cubic else 0.5)
    sides = [(("x", "2", width)), ("y", "1", height)]
    return "".join(
        [
            *(
                _SIDES.format(index=index, input=float(side)).replace("@", axis)
                for axis, index, side in sides
            ),
            _fit(card),
            _by_axis(_FACTOR) + _IS_TORCH.format(reducing=BLOCKS) if may_be_torch else "",
            _by_axis(_TORCH_BOX if may_be_torch else _PILLOW_BOX),
            _by_axis(blocks),
            _by_axis(_TORCH_SEEN if may_be_torch else _PILLOW_SEEN),
            _CUBIC_NUMBERS if is_cubic else "",
            _by_axis(_DISTANCES + (_CUBIC if is_cubic else _TRIANGLE) + _MATRIX),
            _MATRICES,
            _resampled(is_cubic=is_cubic),
        ]
    )


def _fit(card: Card) -> str:
    """Which box of the image becomes how many pixels, as `convscope.data.fit.fit_image` says."""
    match card.resize_mode:
        case "crop" if card.resize_size is None:
            return _LARGEST_BOX + _by_axis(_LARGEST_BOX_OF_AXIS)
        case "crop":
            return _SHORTER.format(size=card.resize_size) + _by_axis(_CENTER_OF_SCALED)
        case "stretch":
            return _by_axis(_WHOLE_IMAGE + "@_count = Identity (@_input)\n")
        case "pad" | "letterbox":
            limit = ", one" if card.resize_mode == "pad" else ""
            scales = _SCALES.format(limit=limit)
            return _by_axis(_WHOLE_IMAGE) + scales + _by_axis(_KEPT_IN_PROPORTION)


def _by_axis(lines: str) -> str:
    return lines.replace("@", "x") + lines.replace("@", "y")
