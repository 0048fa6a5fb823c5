"""Which operations change what is kept between runs, and which keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ops
from zoo.dtypes import RESOURCE
from zoo.engine import tensorflow
from zoo.variables import VARIABLES

if TYPE_CHECKING:
    from zoo import protos

_ONLY_READ = {
    "Enter",
    "Exit",
    "Identity",
    "IdentityN",
    "If",
    "IsVariableInitialized",
    "LookupTableFindV2",
    "LookupTableSizeV2",
    "Merge",
    "NextIteration",
    "PartitionedCall",
    "ReadVariableOp",
    "RefEnter",
    "RefExit",
    "RefIdentity",
    "RefMerge",
    "RefNextIteration",
    "RefSwitch",
    "ResourceGather",
    "ResourceGatherNd",
    "StatefulPartitionedCall",
    "StatelessIf",
    "StatelessWhile",
    "Switch",
    "VarIsInitializedOp",
    "VariableShape",
    "While",
}
"""What takes handles and leaves their contents alone; functions are looked into."""

_OF_ONE_RUN = ("TensorArray", "Stack")


def may_change_state(node: protos.NodeDef) -> bool:
    """Tell whether running `node` may change a variable, a table, a queue."""
    from tensorflow.python.framework import op_def_registry

    op = op_def_registry.get(node.op)
    if op is None or node.op in _ONLY_READ or node.op.startswith(_OF_ONE_RUN):
        return False
    resource = tensorflow().resource.as_datatype_enum
    listed = [
        number
        for argument in op.input_arg
        if argument.type_list_attr in node.attr
        for number in node.attr[argument.type_list_attr].list.type
    ]
    return any(argument.is_ref or resource in (argument.type, *listed) for argument in op.input_arg)


def keeps_state(node: protos.NodeDef) -> bool:
    """Tell whether `node` is a table, a queue or the like: what is kept in it is no weight."""
    op = ops.op(node.op)
    if op is None or not op.stateful or not op.outputs or node.op.startswith(_OF_ONE_RUN):
        return False
    kept = op.outputs[0].kind == str(RESOURCE.number) or op.outputs[0].ref
    return kept and not op.refs and not node.input and node.op not in VARIABLES
