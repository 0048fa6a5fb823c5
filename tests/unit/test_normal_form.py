"""Graphs looked at in one form: what formats spell in two ways is one, what differs stays so."""

import numpy as np

import zoo
import zoo_frozen
from zoo import dtypes, protos
from zoo.compare import compare
from zoo.nodes import node, placeholder, text, whole_number
from zoo.samples import FLOAT, sample_model

INT32, STRING, INT64 = dtypes.INT32, dtypes.STRING, dtypes.named("int64")


def model(*nodes, weights=(), functions=(), assets=None):
    """Return a model of `nodes`; the numbers called `weights` are its variables'."""
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.versions.producer = 27
    meta_graph.graph_def.node.extend(nodes)
    meta_graph.graph_def.library.function.extend(functions)
    for name in assets or ():
        meta_graph.asset_file_def.add(filename=name).tensor_info.name = "path:0"
    return zoo.Model(meta_graph, dict(weights), assets or {})


def equal(a, b):
    """Tell whether two models are the same."""
    return compare(a, b)["equal"]


def test_a_number_of_an_output_counts():
    """The second part of a split is not the first."""

    def half(number):
        return model(
            placeholder("x", FLOAT, [2]),
            whole_number("axis", 0),
            node("split", "Split", ["axis", "x"], num_split=2, T=FLOAT),
            node("out", "Neg", [f"split:{number}"], T=FLOAT),
        )

    assert equal(half(1), half(1))
    assert not equal(half(0), half(1))


def test_one_input_is_not_two():
    """What is fed once cannot be fed two values."""

    def both(second):
        nodes = [placeholder(name, FLOAT, [2]) for name in ("x", "y")]
        return model(*nodes, node("out", "Sub", ["x", second], T=FLOAT))

    assert equal(both("y"), both("y"))
    assert not equal(both("x"), both("y"))


def test_a_variable_that_changes_is_not_another_of_the_same_value():
    """Two that are only read may be one."""

    def counted(read, waits):
        return model(
            placeholder("x", FLOAT, []),
            node("v", "VarHandleOp", dtype=FLOAT),
            node("w", "VarHandleOp", dtype=FLOAT),
            node("count", "AssignAddVariableOp", ["v", "x"], dtype=FLOAT),
            node("read", "ReadVariableOp", [read, *waits], dtype=FLOAT),
            node("out", "Add", ["read", "x"], T=FLOAT),
            weights={"v": np.float32(1), "w": np.float32(1)},
        )

    waits = ["^count"]
    assert equal(counted("v", ()), counted("w", ()))
    assert equal(counted("v", waits), counted("v", waits))
    assert not equal(counted("v", waits), counted("w", waits))


def test_what_a_table_is_filled_with_counts(tmp_path):
    """Keys and values, and the bytes of a file whatever its path is."""

    def lookup(value):
        return model(
            node("table", "HashTableV2", key_dtype=INT32, value_dtype=INT32),
            whole_number("key", 1),
            whole_number("value", value),
            node("fill", "InitializeTableV2", ["table", "key", "value"], Tkey=INT32, Tval=INT32),
            placeholder("x", INT32, []),
            whole_number("default", 0),
            node("out", "LookupTableFindV2", ["table", "x", "default"], Tin=INT32, Tout=INT32),
        )

    def listed(name, words):
        (tmp_path / name).write_text(words)
        return model(
            text("path", f"/somewhere/{name}"),
            node("table", "HashTableV2", key_dtype=STRING, value_dtype=INT64),
            node("fill", "InitializeTableFromTextFileV2", ["table", "path"], vocab_size=-1),
            placeholder("x", INT64, []),
            node("size", "LookupTableSizeV2", ["table"]),
            node("out", "Add", ["size", "x"], T=INT64),
            assets={name: tmp_path / name},
        )

    assert equal(lookup(2), lookup(2))
    assert not equal(lookup(2), lookup(3))
    assert equal(listed("a.txt", "one\n"), listed("b.txt", "one\n"))
    assert not equal(listed("a.txt", "one\n"), listed("b.txt", "two\n"))


def chosen(op, output, *, effect=()):
    """Return an `If` with a lookup in a variable in each branch, its handle an argument."""
    functions = []
    for name in ("then", "otherwise"):
        made = protos.FunctionDef()
        made.signature.name = name
        made.signature.input_arg.add(name="handle", type=dtypes.RESOURCE.number)
        made.signature.input_arg.add(name="at", type=INT32.number)
        made.signature.output_arg.add(name="b", type=1)
        gather = node("inner", "ResourceGather", ["handle", "at"], dtype=FLOAT, Tindices=INT32)
        made.node_def.extend([gather, node("last", op, ["inner:output:0"], T=FLOAT)])
        made.ret["b"] = f"last:{output}:0"
        for kind in effect:
            made.node_def.add().CopyFrom(node("act", kind, ["handle", "last:y:0"], dtype=FLOAT))
            made.control_ret["act"] = "act"
        functions.append(made)
    types = {"Tcond": dtypes.BOOL, "Tin": [dtypes.RESOURCE, INT32], "Tout": [FLOAT]}
    call = node("out", "If", ["p", "v", "x"], **types)
    call.attr["then_branch"].func.name, call.attr["else_branch"].func.name = "then", "otherwise"
    nodes = [placeholder("p", dtypes.BOOL, []), placeholder("x", INT32, [])]
    handle = node("v", "VarHandleOp", dtype=FLOAT)
    weights = {"v": np.arange(3, dtype=np.float32)}
    return model(*nodes, handle, call, weights=weights, functions=functions)


def test_a_handle_in_a_function_is_the_value_that_freezing_puts_there(tmp_path):
    """Lookups and types of arguments are spelled otherwise then."""
    zoo_frozen.save(chosen("Neg", "y"), tmp_path / "frozen.pb")

    frozen = zoo_frozen.load(tmp_path / "frozen.pb")

    assert equal(chosen("Neg", "y"), frozen)
    assert not equal(chosen("Exp", "y"), frozen)


def test_what_a_function_changes_counts():
    """Though nothing that it returns depends on it."""
    act = ("AssignAddVariableOp",)

    assert equal(chosen("Neg", "y", effect=act), chosen("Neg", "y", effect=act))
    assert not equal(chosen("Neg", "y"), chosen("Neg", "y", effect=act))


def test_more_outputs_than_the_other_states_are_no_difference(tmp_path):
    """A graph shows all its ends; a signature chooses some."""
    stated = sample_model().with_signature({"x": "x:0"}, {"p": "probabilities:0"})
    meta_graph = protos.MetaGraphDef()
    meta_graph.CopyFrom(sample_model().meta_graph)
    more = node("more", "Exp", ["dense/BiasAdd"], T=FLOAT)
    meta_graph.graph_def.node.append(more)

    assert equal(stated, zoo.Model(meta_graph, sample_model().weights))
    assert not equal(sample_model(), zoo.Model(meta_graph, sample_model().weights))


def test_an_output_with_a_name_of_its_own_counts_in_a_function():
    """Functions call the outputs of an operation by names, not by numbers."""
    op = "SoftmaxCrossEntropyWithLogits"

    assert equal(chosen(op, "backprop"), chosen(op, "backprop"))
    assert not equal(chosen(op, "loss"), chosen(op, "backprop"))
