"""Running sums, products and logarithms of sums along one dimension."""

from convscope.explanation.rules.operation_view import Index, OperationView
from convscope.explanation.rules.order import up_to
from convscope.explanation.rules.products import sum_of_products
from convscope.explanation.rules.statistics import log_sum_exp_of, product_of
from convscope.terms import Expression, Sum, Terms


def running_sum(op: OperationView, at: Index) -> Sum:
    """y[k] = Σ x[i] over i ≤ k."""
    return sum_of_products(
        op, Terms(op.terms_of(op.input(), up_to(op, at))), "y[k] = Σ x[i], i ≤ k"
    )


def running_product(op: OperationView, at: Index) -> Expression:
    """y[k] = Π x[i] over i ≤ k."""
    return product_of(op.terms_of(op.input(), up_to(op, at)), "y[k] = Π x[i], i ≤ k")


def running_log_sum_exp(op: OperationView, at: Index) -> Expression:
    """y[k] = ln Σ e^(x[i]) over i ≤ k."""
    return log_sum_exp_of(op.terms_of(op.input(), up_to(op, at)), "y[k] = ln Σ e^x[i], i ≤ k")
