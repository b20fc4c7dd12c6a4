"""What a number is made of: records without torch that can be added up, printed and serialized.

The numbers of a network are float32; the product of two of them fits a float64, and `math.fsum`
rounds once. So a total here is the exact sum of what was stored, to the last bit of a float64.
"""

from convscope.terms.exact import Floats, exact_sum, product_errors, quotient
from convscope.terms.made import Copy, Extreme, Function, Line, Made, Sum, Unknown, as_dict, told
from convscope.terms.numerals import bracketed, fixed, number
from convscope.terms.term import Integers, Part, Place, Term, Terms

__all__ = [
    "Copy",
    "Extreme",
    "Floats",
    "Function",
    "Integers",
    "Line",
    "Made",
    "Part",
    "Place",
    "Sum",
    "Term",
    "Terms",
    "Unknown",
    "as_dict",
    "bracketed",
    "exact_sum",
    "fixed",
    "number",
    "product_errors",
    "quotient",
    "told",
]
