"""How the value of a unit decomposes into terms: plain records, without torch.

The product of two float32 numbers is exact in float64, and `math.fsum` rounds once. So the value of
a sum here is the exact sum of the stored numbers, correct to the last bit of a float64.
"""

from convscope.terms.decomposition import (
    Decomposition,
    Expression,
    Extremum,
    Identity,
    Line,
    Sum,
    Unsupported,
    json_number,
    to_dict,
)
from convscope.terms.exact import Floats, exact_sum, product_errors, quotient
from convscope.terms.numerals import fixed, number, parenthesized
from convscope.terms.rounding import Precision
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
    "Precision",
    "Sum",
    "Term",
    "TermGroup",
    "Terms",
    "Unsupported",
    "exact_sum",
    "fixed",
    "json_number",
    "number",
    "parenthesized",
    "product_errors",
    "quotient",
    "to_dict",
]
