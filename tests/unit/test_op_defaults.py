"""What an attribute is where a node does not state it, without TensorFlow."""

from zoo.op_defaults import default


def test_defaults():
    """Of every kind; None where there is none, and for what nobody knows."""
    assert default("Conv2D", "data_format").s == b"NHWC"
    assert list(default("Conv2D", "dilations").list.i) == [1, 1, 1, 1]
    assert default("MatMul", "transpose_a").b is False
    assert default("Conv2D", "strides") is None
    assert default("NoSuchOperation", "T") is None
