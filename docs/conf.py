"""The documentation site: Sphinx over the Markdown pages, the notebooks and the docstrings."""

import re

from sphinx.application import Sphinx

import convscope

REPOSITORY = "https://github.com/convscope/convscope"

project = "convscope"
author = "the convscope authors"
release = version = convscope.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "convscope"
html_show_copyright = html_show_sphinx = html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_in_temp = True
nb_merge_streams = True

autodoc_typehints = (
    "none"  # signatures have them in the source; a table of 45 settings is unreadable
)
autodoc_member_order = "bysource"
default_role = "code"  # a name in single backticks
napoleon_use_ivar = True
highlight_language = "python"


def _link_to_repository(_app: Sphinx, page: str, source: list[str]) -> None:
    """Files beside docs/ are no pages of the site; their links lead to the repository."""
    depth = page.count("/") + 1
    outside = re.compile(r"\]\(" + r"\.\./" * depth)
    source[0] = outside.sub(f"]({REPOSITORY}/blob/main/", source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", _link_to_repository)
