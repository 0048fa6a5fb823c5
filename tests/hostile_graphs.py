"""Graphs that do harm, written node by node: nothing of them is ever run."""

from zoo import dtypes, protos
from zoo.nodes import Dims, node, placeholder, text
from zoo.op_levels import SAVER, judgement, table

HARMFUL = sorted(op for op, said in table().items() if said)
"""Every operation of TensorFlow that is not only computing."""
PATH = "/home/somebody/.ssh/id_rsa"
_ATTRIBUTES = {"debug_urls", "debug_ops_spec"}
FLOAT, STRING = dtypes.named("float32"), dtypes.STRING


def level(op):
    """Return the level at which `op` is found where it stands alone and names a file."""
    said = judgement(op)
    if said is None:
        return "pure"
    return "io" if said.level == SAVER or said.attribute in _ATTRIBUTES else said.level


def harm(op="WriteFile", name="harm", *, inside=False):
    """Return nodes of which the last is `op`, given the name of a file.

    Parameters
    ----------
    inside
        Whether they stand in a function, where edges are spelled otherwise.
    """
    said = judgement(op)
    given = [f"{name}/path{':output:0' if inside else ''}"] * (max(said.inputs, default=-1) + 1)
    made = node(name, op, given)
    if said.attribute in _ATTRIBUTES:
        made.attr[said.attribute].list.s.append(f"file://{PATH}".encode())
    elif said.attribute:
        made.attr[said.attribute].s = f"file://{PATH}".encode()
    return [text(f"{name}/path", PATH), made]


def meta_graph(*nodes, outputs=None):
    """Return a MetaGraph that doubles `x`, and has `nodes` besides.

    Parameters
    ----------
    outputs
        Nodes for which its one output waits.
    """
    made = protos.MetaGraphDef()
    made.meta_info_def.tags.append("serve")
    made.graph_def.versions.producer = 2474
    waits = [f"^{name}" for name in outputs or ()]
    made.graph_def.node.extend(
        [placeholder("x", FLOAT, [None]), node("y", "Add", ["x", "x"], T=FLOAT), *nodes]
    )
    made.graph_def.node.append(node("out", "Identity", ["y", *waits], T=FLOAT))
    signature = made.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for stated, edge in ((signature.inputs["x"], "x:0"), (signature.outputs["out"], "out:0")):
        stated.name, stated.dtype = edge, FLOAT.number
        stated.tensor_shape.CopyFrom(protos.TensorShapeProto(unknown_rank=True))
    return made


def function(name, *nodes):
    """Return a function without arguments that runs `nodes`."""
    made = protos.FunctionDef()
    made.signature.name = name
    made.signature.is_stateful = True
    made.node_def.extend(nodes)
    made.control_ret["all"] = nodes[-1].name
    return made


def calling(op, attribute, *names, name="call", inputs=()):
    """Return a node that names functions in `attribute`: one, or a list of several."""
    made = node(name, op, inputs)
    if len(names) == 1:
        made.attr[attribute].func.name = names[0]
    else:
        for one in names:
            made.attr[attribute].list.func.add().name = one
    return made


def with_functions(meta, *functions):
    """Return `meta`, to whose library `functions` are added."""
    meta.graph_def.library.function.extend(functions)
    return meta


def in_signature(op="WriteFile"):
    return meta_graph(*harm(op), outputs=["harm"])


def beside_the_signature(op="WriteFile"):
    return meta_graph(*harm(op))


def in_function(op="WriteFile"):
    call = calling("StatefulPartitionedCall", "f", "evil")
    return with_functions(
        meta_graph(call, outputs=["call"]), function("evil", *harm(op, inside=True))
    )


def called_by_its_name(op="WriteFile"):
    return with_functions(
        meta_graph(node("call", "evil"), outputs=["call"]),
        function("evil", *harm(op, inside=True)),
    )


def in_branch(op="WriteFile"):
    branch = calling("If", "then_branch", "evil", name="if", inputs=["y"])
    return with_functions(
        meta_graph(branch, outputs=["if"]), function("evil", *harm(op, inside=True))
    )


def in_case(op="WriteFile"):
    branch = calling("Case", "branches", "good", "evil", name="case", inputs=["y"])
    return with_functions(
        meta_graph(branch, outputs=["case"]),
        function("good", node("n", "NoOp")),
        function("evil", *harm(op, inside=True)),
    )


def in_loop(op="WriteFile"):
    loop = calling("While", "body", "evil", name="while", inputs=["y"])
    return with_functions(
        meta_graph(loop, outputs=["while"]), function("evil", *harm(op, inside=True))
    )


def in_dataset(op="WriteFile"):
    dataset = calling("MapDataset", "f", "evil", name="map")
    return with_functions(
        meta_graph(dataset, outputs=["map"]), function("evil", *harm(op, inside=True))
    )


def three_functions_deep(op="WriteFile"):
    return with_functions(
        meta_graph(calling("PartitionedCall", "f", "outer"), outputs=["call"]),
        function("outer", calling("PartitionedCall", "f", "inner")),
        function("inner", calling("StatelessIf", "else_branch", "evil")),
        function("evil", *harm(op, inside=True)),
    )


def as_an_argument_of_an_argument(op="WriteFile"):
    call = calling("PartitionedCall", "f", "good")
    call.attr["f"].func.attr["g"].func.name = "evil"
    return with_functions(
        meta_graph(call, outputs=["call"]),
        function("good", node("n", "NoOp")),
        function("evil", *harm(op, inside=True)),
    )


def in_a_function_that_nothing_calls(op="WriteFile"):
    return with_functions(meta_graph(), function("evil", *harm(op, inside=True)))


def in_gradient(op="WriteFile"):
    made = with_functions(
        meta_graph(calling("PartitionedCall", "f", "good"), outputs=["call"]),
        function("good", node("n", "NoOp")),
        function("evil", *harm(op, inside=True)),
    )
    made.graph_def.library.gradient.add(function_name="good", gradient_func="evil")
    return made


def in_registered_gradient(op="WriteFile"):
    made = with_functions(meta_graph(), function("evil", *harm(op, inside=True)))
    gradients = made.graph_def.library.registered_gradients
    gradients.add(gradient_func="evil", registered_op_type="CustomGradient-1")
    return made


def at_loading(op="WriteFile"):
    made = meta_graph(*harm(op), node("init", "NoOp", ["^harm"]))
    made.collection_def["saved_model_main_op"].node_list.value.append("init")
    return made


def at_loading_of_old(op="WriteFile"):
    made = meta_graph(*harm(op), node("init", "NoOp", ["^harm"]))
    made.collection_def["legacy_init_op"].node_list.value.append("init")
    return made


def at_loading_by_signature(op="WriteFile"):
    made = meta_graph(*harm(op), node("init", "NoOp", ["^harm"]))
    made.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "init"
    return made


def when_restored(op="WriteFile"):
    made = meta_graph(*harm(op), node("restore", "NoOp", ["^harm"]))
    made.saver_def.restore_op_name = "restore"
    return made


def when_saved(op="WriteFile"):
    made = meta_graph(*harm(op), node("save", "Identity", ["y", "^harm"], T=FLOAT))
    made.saver_def.save_tensor_name = "save:0"
    return made


def in_objects(op="WriteFile"):
    made = with_functions(meta_graph(), function("evil", *harm(op, inside=True)))
    made.object_graph_def.nodes.add().function.concrete_functions.append("evil")
    made.object_graph_def.concrete_functions["evil"].SetInParent()
    return made


def in_collection_of_nodes(op="WriteFile"):
    made = meta_graph(*harm(op))
    made.collection_def["train_op"].node_list.value.append("harm")
    return made


def as_bytes_in_collection(op="WriteFile"):
    made = meta_graph()
    hidden = function("evil", *harm(op, inside=True)).SerializeToString()
    made.collection_def["while_context"].bytes_list.value.append(hidden)
    return made


def as_message_in_collection(op="WriteFile"):
    made = meta_graph()
    hidden = made.collection_def["extras"].any_list.value.add()
    hidden.type_url = "type.googleapis.com/tensorflow.NodeDef"
    hidden.value = harm(op)[-1].SerializeToString()
    return made


def as_graph_in_collection(op="WriteFile"):
    made = meta_graph()
    hidden = made.collection_def["serving_graph"].any_list.value.add()
    hidden.type_url = "type.googleapis.com/tensorflow.GraphDef"
    hidden.value = meta_graph(*harm(op)).graph_def.SerializeToString()
    return made


PLACES = [
    in_signature, beside_the_signature, in_function, called_by_its_name, in_branch, in_case,
    in_loop, in_dataset, three_functions_deep, as_an_argument_of_an_argument,
    in_a_function_that_nothing_calls, in_gradient, in_registered_gradient, at_loading,
    at_loading_of_old, at_loading_by_signature, when_restored, when_saved, in_objects,
    in_collection_of_nodes, as_bytes_in_collection, as_message_in_collection,
    as_graph_in_collection,
]  # fmt: skip
"""Where harm may hide in a MetaGraph."""


def saved_model(*meta_graphs):
    """Return a SavedModel of `meta_graphs`."""
    return protos.SavedModel(saved_model_schema_version=1, meta_graphs=meta_graphs)


def saver(meta, *, name="save", stated=True, prefix=None):
    """Return `meta` with the saver of TensorFlow 1, which writes and reads a variable `v`.

    Parameters
    ----------
    stated
        Whether the MetaGraph says that it is its saver.
    prefix
        A constant in the place of what the saver is told.
    """
    told = f"{name}/Const"
    first = text(told, "model" if prefix is None else prefix)
    nodes = [
        node(f"{name}/v", "VariableV2", shape=Dims([]), dtype=FLOAT),
        first,
        text(f"{name}/names", "v"),
        text(f"{name}/slices", ""),
        node(f"{name}/SaveV2", "SaveV2", [told, f"{name}/names", f"{name}/slices", f"{name}/v"]),
        node(f"{name}/done", "Identity", [told, f"^{name}/SaveV2"], T=STRING),
        node(f"{name}/RestoreV2", "RestoreV2", [told, f"{name}/names", f"{name}/slices"]),
        node(f"{name}/Assign", "Assign", [f"{name}/v", f"{name}/RestoreV2"]),
        node(f"{name}/restore_all", "NoOp", [f"^{name}/Assign"]),
    ]
    meta.graph_def.node.extend(nodes)
    if stated:
        meta.saver_def.filename_tensor_name = f"{told}:0"
        meta.saver_def.save_tensor_name = f"{name}/done:0"
        meta.saver_def.restore_op_name = f"{name}/restore_all"
    return meta
