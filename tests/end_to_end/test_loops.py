"""Loops of TensorFlow 1 in functions: the values and gradients of the session they come from."""

from contextlib import contextmanager

import numpy as np
import pytest

import zoo

UNITS = 3


@contextmanager
def as_once(tf):
    """Build graphs as TensorFlow 1 did: loops of frames, branches of switches."""
    tf.compat.v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default():
            yield
    finally:
        tf.compat.v1.enable_control_flow_v2()


class Cell:
    """A recurrent cell of the plainest kind."""

    output_size = state_size = UNITS
    trainable = True

    def __init__(self, tf):
        self.tf = tf

    def zero_state(self, batch, dtype):
        return self.tf.zeros([batch, UNITS], dtype)

    def __call__(self, x, state):
        kernel = weight(self.tf, "kernel", (x.shape[-1] + UNITS, UNITS))
        new = self.tf.tanh(self.tf.concat([x, state], 1) @ kernel)
        return new, new


def weight(tf, name, shape=(UNITS, UNITS)):
    """Return a variable; asked for twice, it is one."""
    values = np.random.default_rng(7).normal(size=shape).astype(np.float32) * 0.5
    with tf.compat.v1.variable_scope("net", reuse=tf.compat.v1.AUTO_REUSE):
        return tf.compat.v1.get_variable(name, initializer=lambda: values, use_resource=False)


def counted(tf, x):
    """Multiply as often as is said, by a weight that the loop only looks at."""
    kernel = weight(tf, "kernel")
    _, y = tf.compat.v1.while_loop(
        lambda i, _: i < 4, lambda i, y: (i + 1, tf.tanh(y @ kernel)), (0, x[0])
    )
    return y


def data_dependent(tf, x):
    """Go on until a value is reached, which no number of rounds states."""
    kernel = weight(tf, "kernel")
    body = lambda y, s: (y @ kernel + 0.5, s + tf.reduce_sum(y**2))
    y, s = tf.compat.v1.while_loop(lambda _, s: s < 40.0, body, (x[0], 0.0))
    return y * s


def nested(tf, x):
    """Have a loop in a loop, each with a weight of its own."""
    a, b = weight(tf, "a"), weight(tf, "b")

    def outer(i, y):
        inner = lambda j, z: (j + 1, tf.tanh(z @ b) + y)
        _, z = tf.compat.v1.while_loop(lambda j, _: j < i + 1, inner, (0, y @ a))
        return i + 1, z

    return tf.compat.v1.while_loop(lambda i, _: i < 3, outer, (0, x[0]))[1]


def growing(tf, x):
    """Let a value change its shape from round to round."""
    kernel = weight(tf, "kernel")
    body = lambda i, y: (i + 1, tf.concat([y, tf.tanh(y[-2:] @ kernel)], 0))
    shapes = (tf.TensorShape([]), tf.TensorShape([None, UNITS]))
    return tf.compat.v1.while_loop(lambda i, _: i < 3, body, (0, x[0]), shape_invariants=shapes)[1]


def mapped(tf, x):
    """Use ``map_fn``: an array that is read, an array that is written."""
    kernel = weight(tf, "kernel")
    return tf.compat.v1.map_fn(lambda row: tf.sigmoid(row @ kernel), x)


def scanned(tf, x):
    """Use ``scan``, of all the steps."""
    kernel = weight(tf, "kernel")
    return tf.compat.v1.scan(lambda y, row: tf.tanh(y @ kernel + row), x, tf.zeros_like(x[0]))


def mapped_twice(tf, x):
    """Use ``map_fn`` in ``map_fn``: arrays that are made inside of a loop."""
    kernel = weight(tf, "kernel")
    row = lambda y: tf.tanh(tf.linalg.matvec(kernel, y))
    return tf.compat.v1.map_fn(lambda y: tf.compat.v1.map_fn(row, y), x)


def recurrent(tf, x):
    """Use ``dynamic_rnn``."""
    outputs, state = tf.compat.v1.nn.dynamic_rnn(Cell(tf), x, dtype=tf.float32)
    return tf.reduce_mean(outputs, 1) + state


def of_lengths(tf, x):
    """Use ``dynamic_rnn`` on sequences that end at different times: branches in the loop."""
    lengths = tf.constant([1, 3])
    outputs, state = tf.compat.v1.nn.dynamic_rnn(Cell(tf), x[:2], lengths, dtype=tf.float32)
    return tf.reduce_mean(outputs, 1) + state


def both_ways(tf, x):
    """Use ``bidirectional_dynamic_rnn``."""
    cells = Cell(tf), Cell(tf)
    outputs, _ = tf.compat.v1.nn.bidirectional_dynamic_rnn(*cells, x, dtype=tf.float32)
    return tf.concat(outputs, 2)


def branching(tf, x):
    """Choose a branch in each round, with a choice on one of the branches."""
    a, b = weight(tf, "a"), weight(tf, "b")
    cond = tf.compat.v1.cond

    def body(i, y):
        inner = lambda: cond(tf.equal(i, 2), lambda: y * 0.5, lambda: tf.tanh(y @ b))
        y, z = cond(tf.equal(i % 2, 0), lambda: (inner(), y), lambda: (tf.sin(y @ a), 1.0 + y))
        return i + 1, y + tf.reduce_mean(z)

    return tf.compat.v1.while_loop(lambda i, _: i < 4, body, (0, x[0]))[1]


def gathered(tf, x):
    """Take elements of an array out of order, one of them twice."""
    kernel = weight(tf, "kernel")
    start = tf.TensorArray(tf.float32, 4, element_shape=(2, UNITS), clear_after_read=False)
    body = lambda i, y, all_: (i + 1, tf.tanh(y @ kernel), all_.write(i, y))
    _, _, full = tf.compat.v1.while_loop(lambda i, *_: i < 4, body, (0, x[0], start))
    return full.gather([3, 1, 3])


def joined(tf, x):
    """Split a tensor into an array, and join another array into a tensor."""
    kernel = weight(tf, "kernel")
    parts = tf.TensorArray(tf.float32, 2, infer_shape=False).split(x[0] @ kernel, [1, 1])
    start = tf.TensorArray(tf.float32, 0, dynamic_size=True, infer_shape=False)
    body = lambda i, all_: (i + 1, all_.write(i, tf.tile(parts.read(i), [i + 1, 1])))
    _, full = tf.compat.v1.while_loop(lambda i, _: i < 2, body, (0, start))
    return tf.reshape(full.concat(), (-1, UNITS)) * tf.cast(full.size(), tf.float32)


def whole_numbers(tf, x):
    """Have an array of what has no gradient beside one that has."""
    kernel = weight(tf, "kernel")
    step = lambda pair: (tf.tanh(pair[0] @ kernel), pair[1] + 1)
    y, n = tf.compat.v1.map_fn(step, (x, tf.range(tf.shape(x)[0])))
    return y * tf.cast(n, tf.float32)[:, None, None]


GRAPHS = (
    counted, data_dependent, nested, growing, mapped, scanned, mapped_twice, recurrent, of_lengths,
    both_ways, branching, gathered, joined, whole_numbers,
)  # fmt: skip


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_values_and_gradients_are_the_sessions(tf, tmp_path, build):
    """A checkpoint's graph gives in a function what TensorFlow 1 gave where it was made."""
    v1 = tf.compat.v1
    value = np.random.default_rng(3).normal(size=(4, 2, UNITS)).astype(np.float32)
    with as_once(tf), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 2, UNITS), "x")
        y = tf.identity(build(tf, x), "y")
        variables = v1.trainable_variables()
        wanted = [y, *v1.gradients(tf.reduce_sum(y**2), [*variables, x])]
        session.run(v1.global_variables_initializer())
        wanted = session.run(wanted, {x: value})
        saver = v1.train.Saver()
        saver.save(session, str(tmp_path / "net"))

    function = zoo.load(tmp_path / "net").function(["x:0"], "y:0")
    given = tf.constant(value)
    with tf.GradientTape() as tape:
        tape.watch(given)
        found = function(given)
        loss = tf.reduce_sum(found**2)
    held = {variable.name: variable for variable in function.variables}
    found = [found, *tape.gradient(loss, [*(held[v.name] for v in variables), given])]

    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
