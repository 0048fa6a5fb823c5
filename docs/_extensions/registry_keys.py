"""The directive ``registry-keys``: a table of the keys that a part of a registry may have.

What a key holds is read from the pydantic model by which the part is checked, so that it cannot be
out of date; what it means, from the tables of ``registry.md``.
"""

import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from zoo import entries

_ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")
_WORDS = {"string": "text", "integer": "a whole number", "number": "a number"}


class RegistryKeys(SphinxDirective):
    """``registry-keys`` with the name of a class of `zoo.entries`: a row for each of its keys."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        kind = getattr(entries, self.arguments[0])
        means = _meanings(Path(self.env.srcdir, "registry.md").read_text(encoding="utf-8"))
        lines = ["| key | holds | usual | means |", "| --- | --- | --- | --- |"]
        schema = kind.model_json_schema()
        for key, value in schema["properties"].items():
            usual = "needed" if key in schema.get("required", []) else _usual(value)
            lines.append(f"| `{key}` | {_holds(value)} | {usual} | {means.get(key, '')} |")
        place = nodes.container()
        self.state.nested_parse(StringList(lines), self.content_offset, place)
        return place.children


def _meanings(page: str) -> dict[str, str]:
    """Return what the tables of a page say of each key, without links."""
    rows = [(re.findall(r"\w+", keys), text) for keys, text in _ROW.findall(page)]
    return {key: _LINK.sub(r"\1", text) for keys, text in reversed(rows) for key in keys}


def _holds(schema: dict) -> str:
    """Return in words what a value of this JSON schema is."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_holds(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_holds(schema['items'])}"
    if schema["type"] == "object":
        return f"names with {_holds(schema['additionalProperties'])}"
    return _WORDS[schema["type"]]


def _usual(schema: dict) -> str:
    """Return what counts where a key is left out."""
    default = schema.get("default")
    return "" if default in (None, [], {}) else f"`{default}`"


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive."""
    app.add_directive("registry-keys", RegistryKeys)
    return {"parallel_read_safe": True}
