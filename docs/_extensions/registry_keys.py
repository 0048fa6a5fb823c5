"""The directive ``registry-keys``: a table of the keys that a part of a registry may have.

It is made from the pydantic model by which the part is checked, so that it cannot be out of date.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from zoo import entries

_COLUMNS = ("key", "holds", "when left out")


class RegistryKeys(SphinxDirective):
    """``.. registry-keys:: Entry``: a row for each key that `zoo.entries.Entry` reads."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        schema = getattr(entries, self.arguments[0]).model_json_schema()
        needed = schema.get("required", [])
        rows = [
            (key, _holds(value), "an error" if key in needed else _without(value))
            for key, value in schema["properties"].items()
        ]
        return [_table(rows)]


def _holds(schema: dict) -> str:
    """Return in words what a value of this JSON schema is."""
    if "$ref" in schema:
        return "keys as below: " + schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_holds(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return " or ".join(schema["enum"])
    if schema["type"] == "array":
        return f"a list: {_holds(schema['items'])}"
    if schema["type"] == "object":
        return f"by name: {_holds(schema['additionalProperties'])}"
    words = {"string": "text", "integer": "a whole number", "number": "a number"}
    return words[schema["type"]]


def _without(schema: dict) -> str:
    """Return what counts where a key is left out."""
    default = schema.get("default")
    return "nothing" if default in (None, [], {}) else str(default)


def _table(rows: list[tuple[str, ...]]) -> nodes.table:
    group = nodes.tgroup(cols=len(_COLUMNS))
    group += [nodes.colspec(colwidth=width) for width in (20, 50, 30)]
    head = nodes.thead()
    head += _row([nodes.Text(name) for name in _COLUMNS])
    body = nodes.tbody()
    body += [_row([nodes.literal(text=key), *map(nodes.Text, rest)]) for key, *rest in rows]
    group += [head, body]
    table = nodes.table()
    table += group
    return table


def _row(cells: list[nodes.Node]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        paragraph = nodes.paragraph()
        paragraph += cell
        entry = nodes.entry()
        entry += paragraph
        row += entry
    return row


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive."""
    app.add_directive("registry-keys", RegistryKeys)
    return {"parallel_read_safe": True}
