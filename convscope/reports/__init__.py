"""The report of a training: one self-contained page, without scripts and without a network."""

from convscope.reports.page import report

__all__ = ["report"]
