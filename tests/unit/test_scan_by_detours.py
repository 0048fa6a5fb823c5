"""M1, M2: operations that get their file's name by a detour are not taken for harmless."""

import pytest
from google.protobuf import text_format

from zoo import protos
from zoo.errors import TrustError
from zoo.policy import Guard
from zoo.scanning import scan


def graph(text):
    """Return a MetaGraph with the graph that `text` says."""
    made = protos.MetaGraphDef()
    for part in text.replace("library {", "\x00library {").split("\x00"):  # one at a time, merged
        text_format.Merge(part, made.graph_def)
    return made


def constant(name, value):
    return (
        f'node {{ name: "{name}" op: "Const" attr {{ key: "dtype" value {{ type: DT_STRING }} }} '
        f'attr {{ key: "value" value {{ tensor {{ dtype: DT_STRING tensor_shape {{ }} '
        f'string_val: "{value}" }} }} }} }}\n'
    )


def function(name, nodes, inputs=""):
    arguments = "".join(f'input_arg {{ name: "{one}" type: DT_STRING }} ' for one in inputs.split())
    signature = f'signature {{ name: "{name}" {arguments} }}'
    return f"library {{ function {{ {signature} {nodes} }} }}\n"


CACHE = (
    'node_def {{ name: "d" op: "RangeDataset" }} '
    'node_def {{ name: "c" op: "CacheDataset" input: "d:handle:0" input: "{0}" }}'
)
PRINTED = (
    'node_def { name: "p" op: "PrintV2" input: "x" '
    'attr { key: "output_stream" value { placeholder: "os" } } }'
)
LOOP = 'attr {{ key: "body" value {{ func {{ name: "{0}" }} }} }}'
DETOURS = {
    "an attribute that the caller fills in": function("f", PRINTED, "x")
    + constant("x", "text")
    + 'node { name: "call" op: "PartitionedCall" input: "x" attr { key: "f" value { func { '
    'name: "f" attr { key: "os" value { s: "file:///tmp/x" } } } } } }',
    "what a round of a loop hands to the next": function("body", CACHE.format("name"), "name")
    + constant("none", "")
    + f'node {{ name: "w" op: "While" input: "none" {LOOP.format("body")} }}',
    "a function that a function is given": function("inner", CACHE.format("name"), "name")
    + function("outer", "", "name")
    + constant("none", "")
    + 'node { name: "call" op: "PartitionedCall" input: "none" attr { key: "f" value { func { '
    'name: "outer" attr { key: "g" value { func { name: "inner" } } } } } } }',
    "the gradient of a function": function("grad", CACHE.format("name"), "name")
    + 'library { gradient { function_name: "f" gradient_func: "grad" } }\n'
    + constant("none", "")
    + 'node { name: "call" op: "PartitionedCall" input: "none" attr { key: "f" value { func { '
    'name: "grad" } } } }',
    "a variable": constant("none", "") + 'node { name: "v" op: "VarHandleOp" }'
    'node { name: "set" op: "AssignVariableOp" input: "v" input: "none" }'
    'node { name: "read" op: "ReadVariableOp" input: "v" input: "^set" }'
    'node { name: "d" op: "RangeDataset" }'
    'node { name: "c" op: "CacheDataset" input: "d" input: "read" }',
    "one file of several": constant("none", "")
    + 'node { name: "s" op: "ShardedFilename" input: "none" }'
    'node { name: "d" op: "RangeDataset" }'
    'node { name: "c" op: "CacheDataset" input: "d" input: "s" }',
    "a constant that the caller fills in": function(
        "f",
        'node_def { name: "n" op: "Const" attr { key: "value" value { placeholder: "v" } } } '
        + CACHE.format("n:output:0"),
    ),
}


@pytest.mark.parametrize("detour", DETOURS)
def test_m02_a_detour_is_no_way_around(detour):
    """What cannot be followed is judged as the worst it can be."""
    found = {one.op: one.level for one in scan(graph(DETOURS[detour]))}

    assert found in ({"PrintV2": "network"}, {"CacheDataset": "network"}, {"CacheDataset": "io"})


def saving(name):
    """Return a graph whose saver is told the constant `name`, and a variable that waits for it."""
    made = graph(
        constant("file", name)
        + 'node { name: "save" op: "SaveV2" input: "file" input: "file" input: "file" }'
        'node { name: "v" op: "VarHandleOp" input: "^save" }'
        'node { name: "y" op: "NoOp" input: "^v" input: "^save" }'
    )
    made.saver_def.filename_tensor_name = "file:0"
    made.saver_def.save_tensor_name = "y"
    return made


def test_m01_what_loading_a_variable_waits_for_is_no_savers():
    """Giving a variable its value runs what it waits for, though no user named that."""
    assert [one.level for one in scan(saving("model"))] == ["io"]


def test_m01_a_saver_that_is_told_a_path_by_the_graph():
    """Nobody chose it but who wrote the model; by its usual name it is a saver's."""
    told, usual = saving("/home/user/.profile"), saving("model")
    for one in (told, usual):
        del next(node for node in one.graph_def.node if node.name == "v").input[:]

    assert [one.level for one in scan(told)] == ["io"]
    assert [one.level for one in scan(usual)] == ["saver"]


def test_m01_no_call_of_a_model_saves():
    """What a saver may do when it is told to, is not done for an output of that name."""
    usual = saving("model")
    del next(node for node in usual.graph_def.node if node.name == "v").input[:]

    with pytest.raises(TrustError, match="SaveV2"):
        Guard(usual).require_call(["y"], [])


def test_m01_an_asset_may_be_fed_to_whatever_takes_it():
    """The loader hands its path in at every call, so the name that stands there is not the one."""
    made = graph(
        constant("none", "") + 'node { name: "d" op: "RangeDataset" }'
        'node { name: "c" op: "CacheDataset" input: "d" input: "none" }'
    )
    made.asset_file_def.add(filename="new").tensor_info.name = "none:0"

    assert [one.level for one in scan(made)] == ["io"]
