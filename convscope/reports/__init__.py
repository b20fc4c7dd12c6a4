"""The report of a training: one self-contained HTML page, without scripts, readable offline."""

from convscope.reports.page import report

__all__ = ["report"]
