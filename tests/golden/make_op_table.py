"""Write ``zoo/ops.txt``, the table of what every TensorFlow operation puts out.

Run it after an upgrade of TensorFlow: ``python tests/golden/make_op_table.py``.  The test
``tests/end_to_end/test_installed_tensorflow.py`` fails while the table and the release differ.
"""

from pathlib import Path

TARGET = Path(__file__).parents[2] / "zoo" / "ops.txt"


def table() -> str:
    """Return the table for the installed TensorFlow, a line for each operation."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session
    from tensorflow.python.framework import kernels

    buffer = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    ops = op_def_pb2.OpList.FromString(buffer).op
    registered = kernels.get_all_registered_kernels().kernel
    runs = {kernel.op for kernel in registered if kernel.device_type in ("CPU", "DEFAULT")}
    return "".join(f"{line(op, runs)}\n" for op in sorted(ops, key=lambda op: op.name))


def line(op, runs) -> str:
    """Return ``Name [!] [-] [~version] [&reference inputs] output:type ... ; attribute ...``.

    ``!`` stands for state, ``-`` for no kernel on a CPU, ``~`` before the version of graphs from
    which on it is refused; an attribute that is a function, or a list of them, ends in ``()``.
    """
    words = [op.name]
    words += ["!"] if op.is_stateful else []
    words += [] if op.name in runs else ["-"]
    words += [f"~{op.deprecation.version}"] if op.HasField("deprecation") else []
    refs = [str(i) for i, argument in enumerate(op.input_arg) if argument.is_ref]
    if refs:
        words.append("&" + ",".join(refs))
    defaults = {a.name: a.default_value.type for a in op.attr if a.default_value.type}
    words += [f"{out.name}:{kind(out, defaults)}" for out in op.output_arg]
    attributes = [a.name + ("()" if a.type in ("func", "list(func)") else "") for a in op.attr]
    return " ".join([*words, ";", *attributes])


def kind(out, defaults) -> str:
    """Return the type of one output: a number or ``attr[=default]``, ``*count``; or ``*list``."""
    if out.type_list_attr:
        return "*" + out.type_list_attr
    dtype = str(out.type) if out.type else out.type_attr
    if out.type_attr in defaults:
        dtype += f"={defaults[out.type_attr]}"
    repeated = f"*{out.number_attr}" if out.number_attr else ""
    return ("&" if out.is_ref else "") + dtype + repeated


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
