"""How Sphinx makes the pages: `make docs`.  Nothing here asks the network."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

import zoo

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "zoo"
author = "the zoo developers"
release = version = zoo.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "registry_keys",
]
exclude_patterns = ["_build", "_extensions"]
html_theme = "furo"
html_title = f"zoo {release}"
html_show_copyright = False

# Pages are read on a git host as well: links are relative, and headings have the anchors of GitHub.
myst_heading_anchors = 4
myst_links_external_new_tab = False
suppress_warnings = ["myst.header"]  # an included page may begin at any depth

default_role = "code"  # docstrings have arguments in single backticks
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = False
napoleon_use_rtype = False
nitpick_ignore_regex = [  # types of others, which their own pages describe, and rooms of ours
    (r"py:(class|obj|data|exc)", r"(?!zoo\.(errors|testing)\.).*"),
]

copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True


def setup(app: Sphinx) -> None:
    """Leave out the empty line that ends examples, which doctest wants."""
    app.connect("source-read", _without_last_lines)


def _without_last_lines(_: Sphinx, __: str, source: list[str]) -> None:
    source[0] = source[0].replace("\n\n```\n", "\n```\n")
