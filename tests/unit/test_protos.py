"""TensorFlow's messages are read out of the installed package, and kept apart from TensorFlow's."""

import pytest

from zoo import protos

ROOTS = [
    "tensorflow/core/protobuf/meta_graph.proto",
    "tensorflow/core/protobuf/saved_model.proto",
    "tensorflow/core/protobuf/tensor_bundle.proto",
    "tensorflow/core/framework/variable.proto",
    "tensorflow/python/training/checkpoint_state.proto",
]


@pytest.mark.parametrize("path", ROOTS)
def test_descriptors_stand_in_the_package_as_text(path):
    """A release of TensorFlow that moves its descriptors, so that zoo gets slow, is noticed."""
    assert protos.read_descriptor(path)


def test_unknown_fields_survive():
    """What a newer TensorFlow wrote comes out again as it went in."""
    data = protos.GraphDef().SerializeToString() + b"\xfa\x3f\x03new"

    assert protos.GraphDef.FromString(data).SerializeToString() == data


def test_a_message_nobody_has_is_an_attribute_error():
    """A slip in a name is told as Python tells it."""
    with pytest.raises(AttributeError, match="GrafDef"):
        _ = protos.GrafDef
