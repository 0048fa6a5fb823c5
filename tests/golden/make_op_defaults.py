"""Write ``zoo/op_defaults.txt``, the values that attributes have where a node does not state them.

Run it after an upgrade of TensorFlow: ``python tests/golden/make_op_defaults.py``.  The test
``tests/end_to_end/test_installed_tensorflow.py`` fails while the table and the release differ.
"""

from pathlib import Path

TARGET = Path(__file__).parents[2] / "zoo" / "op_defaults.txt"


def table() -> str:
    """Return a line ``Name attribute=value ...`` for each operation that has defaults.

    A value is its serialized ``AttrValue`` in hexadecimal digits.
    """
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    buffer = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    ops = sorted(op_def_pb2.OpList.FromString(buffer).op, key=lambda op: op.name)
    lines = ((op.name, [*map(stated, filter(has_default, op.attr))]) for op in ops)
    return "".join(f"{name} {' '.join(pairs)}\n" for name, pairs in lines if pairs)


def has_default(attribute) -> bool:
    """Tell whether a node may leave `attribute` out."""
    return attribute.HasField("default_value")


def stated(attribute) -> str:
    """Return the name of `attribute` and its default."""
    value = attribute.default_value.SerializeToString(deterministic=True)
    return f"{attribute.name}={value.hex()}"


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
