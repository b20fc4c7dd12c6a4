"""What a number is made of: records without torch that can be added up, printed and serialized.

The numbers of a network are float32; the product of two of them fits a float64, and `math.fsum`
rounds once. So a total here is the exact sum of what was stored, to the last bit of a float64.
"""

from convscope.terms.decomposition import (
    Decomposition,
    Expression,
    Extremum,
    Identity,
    Line,
    Sum,
    Unsupported,
    as_dict,
    json_number,
)
from convscope.terms.exact import Floats, exact_sum, product_errors, quotient
from convscope.terms.numerals import bracketed, fixed, number
from convscope.terms.term import Integers, Location, Term, TermGroup, Terms

__all__ = [
    "Decomposition",
    "Expression",
    "Extremum",
    "Floats",
    "Identity",
    "Integers",
    "Line",
    "Location",
    "Sum",
    "Term",
    "TermGroup",
    "Terms",
    "Unsupported",
    "as_dict",
    "bracketed",
    "exact_sum",
    "fixed",
    "json_number",
    "number",
    "product_errors",
    "quotient",
]
