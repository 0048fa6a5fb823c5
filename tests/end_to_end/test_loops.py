"""Loops of TensorFlow 1 in functions: the values and gradients of the session they come from."""

from contextlib import contextmanager

import numpy as np
import pytest

import zoo
from zoo.errors import UnsupportedError

UNITS = 3
VALUE = np.random.default_rng(3).normal(size=(4, 2, UNITS)).astype(np.float32)


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


def weight(tf, name, shape=(UNITS, UNITS), *, by_handle=False):
    """Return a variable; asked for twice, it is one."""
    values = np.random.default_rng(7).normal(size=shape).astype(np.float32) * 0.5
    with tf.compat.v1.variable_scope("net", reuse=tf.compat.v1.AUTO_REUSE):
        by_handle = by_handle or None  # else as the scope has it
        return tf.compat.v1.get_variable(name, initializer=values, use_resource=by_handle)


def repeat(tf, times, body, *start, **options):
    """Return what `body`, called with a number and values, has made of `start` in a loop."""
    _, *found = tf.compat.v1.while_loop(
        lambda i, *_: i < times, lambda i, *v: (i + 1, *body(i, *v)), (0, *start), **options
    )
    return found[0] if len(found) == 1 else found


def looks(tf, x):
    """Multiply by a weight that the loop only looks at."""
    kernel = weight(tf, "kernel")
    return repeat(tf, 4, lambda _, y: [tf.tanh(y @ kernel)], x[0])


def looks_by_handle(tf, x):
    """Read variables by handle, in a loop and in a loop within it."""
    a, b = weight(tf, "a", by_handle=True), weight(tf, "b", by_handle=True)

    def body(i, y):
        start = y @ a.read_value()
        return [repeat(tf, i + 1, lambda _, z: [tf.tanh(z @ b.read_value()) + y], start)]

    return repeat(tf, 3, body, x[0])


def looks_up(tf, x):
    """Look rows of a table up, by handle."""
    table = weight(tf, "table", (5, UNITS), by_handle=True)
    return repeat(tf, 4, lambda i, y: [tf.tanh(y + tf.nn.embedding_lookup(table, [i, 0]))], x[0])


def until(tf, x):
    """Go on until a value is reached, which no number of rounds states."""
    kernel = weight(tf, "kernel")
    y, s = tf.compat.v1.while_loop(
        lambda _, s: s < 40.0, lambda y, s: (y @ kernel + 0.5, s + tf.reduce_sum(y**2)), (x[0], 0.0)
    )
    return y * s


def never(tf, x):
    """Have no round at all."""
    kernel = weight(tf, "kernel")
    return repeat(tf, 0, lambda _, y: [tf.tanh(y @ kernel)], x[0] @ kernel)


def nested(tf, x):
    """Have a loop in a loop, each with a weight of its own."""
    a, b = weight(tf, "a"), weight(tf, "b")

    def body(i, y):
        return [repeat(tf, i + 1, lambda _, z: [tf.tanh(z @ b) + y], y @ a)]

    return repeat(tf, 3, body, x[0])


def growing(tf, x):
    """Let a value change its shape from round to round."""
    kernel = weight(tf, "kernel")
    shapes = (tf.TensorShape([]), tf.TensorShape([None, UNITS]))

    def body(_, y):
        return [tf.concat([y, tf.tanh(y[-2:] @ kernel)], 0)]

    return repeat(tf, 3, body, x[0], shape_invariants=shapes)


def with_effects(tf, x):
    """Check and print something in each round."""
    kernel = weight(tf, "kernel")

    def body(i, y):
        with tf.control_dependencies([tf.compat.v1.assert_less(i, 10)]):
            return [tf.compat.v1.Print(tf.tanh(y @ kernel), [i], first_n=0)]

    return repeat(tf, 3, body, x[0])


def mapped(tf, x):
    """Use ``map_fn``: an array that is read, an array that is written."""
    kernel = weight(tf, "kernel")
    return tf.compat.v1.map_fn(lambda row: tf.sigmoid(row @ kernel), x)


def mapped_twice(tf, x):
    """Use ``map_fn`` in ``map_fn``: arrays that are made inside of a loop."""
    kernel = weight(tf, "kernel")

    def row(y):
        return tf.compat.v1.map_fn(lambda z: tf.tanh(tf.linalg.matvec(kernel, z)), y)

    return tf.compat.v1.map_fn(row, x)


def whole_numbers(tf, x):
    """Have an array of what has no gradient beside one that has."""
    kernel = weight(tf, "kernel")
    pair = (x, tf.range(tf.shape(x)[0]))
    y, n = tf.compat.v1.map_fn(lambda one: (tf.tanh(one[0] @ kernel), one[1] + 1), pair)
    return y * tf.cast(n, tf.float32)[:, None, None]


def scanned(tf, x):
    """Use ``scan``, of all the steps."""
    kernel = weight(tf, "kernel")
    return tf.compat.v1.scan(lambda y, row: tf.tanh(y @ kernel + row), x, tf.zeros_like(x[0]))


def gathered(tf, x):
    """Take elements of an array out of order, one of them twice."""
    kernel = weight(tf, "kernel")
    array = tf.TensorArray(tf.float32, 4, element_shape=(2, UNITS), clear_after_read=False)
    _, full = repeat(tf, 4, lambda i, y, a: (tf.tanh(y @ kernel), a.write(i, y)), x[0], array)
    return full.gather([3, 1, 3])


def joined(tf, x):
    """Split a tensor into an array, and join another array into a tensor."""
    kernel = weight(tf, "kernel")
    parts = tf.TensorArray(tf.float32, 2, infer_shape=False).split(x[0] @ kernel, [1, 1])
    array = tf.TensorArray(tf.float32, 0, dynamic_size=True, infer_shape=False)
    full = repeat(tf, 2, lambda i, a: [a.write(i, tf.tile(parts.read(i), [i + 1, 1]))], array)
    return tf.reshape(full.concat(), (-1, UNITS)) * tf.cast(full.size(), tf.float32)


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


def raw(tf, x):
    """Use ``raw_rnn``, which reads an array on a branch before the loop."""
    cell = Cell(tf)
    array = tf.TensorArray(tf.float32, 4).unstack(x)

    def step(time, output, state, _):
        ended = time >= tf.constant([2, 4])
        state = cell.zero_state(2, tf.float32) if output is None else state
        more = tf.compat.v1.cond(
            tf.reduce_all(ended), lambda: tf.zeros([2, UNITS]), lambda: array.read(time)
        )
        more.set_shape([2, UNITS])
        return ended, more, state, output, None

    return tf.compat.v1.nn.raw_rnn(cell, step)[0].stack()


def branches(tf, x):
    """Choose a branch in each round, with a choice on one of the branches."""
    a, b = weight(tf, "a"), weight(tf, "b")
    cond = tf.compat.v1.cond

    def body(i, y):
        def inner():
            return cond(tf.equal(i, 2), lambda: y * 0.5, lambda: tf.tanh(y @ b)), y

        y, z = cond(tf.equal(i % 2, 0), inner, lambda: (tf.sin(y @ a), 1.0 + y))
        return [y + tf.reduce_mean(z)]

    return repeat(tf, 4, body, x[0])


def choices_of_one_kind(tf, x):
    """Choose twice by one number, the second time from what was chosen first."""
    kernel = weight(tf, "kernel")

    def body(i, y):
        odd = tf.equal(i % 2, 0)
        y = tf.compat.v1.cond(odd, lambda: tf.tanh(y @ kernel), lambda: y * 1.5)
        return [tf.compat.v1.cond(odd, lambda: y + 0.5, lambda: tf.sin(y @ kernel))]

    return repeat(tf, 4, body, x[0])


def loop_on_a_branch(tf, x):
    """Have a loop on a branch that is not taken."""
    kernel = weight(tf, "kernel")
    return tf.compat.v1.cond(
        tf.reduce_sum(x) > 1e9,
        lambda: repeat(tf, 4, lambda _, y: [tf.tanh(y @ kernel)], x[0]),
        lambda: x[0] @ kernel,
    )


GRAPHS = (
    looks, looks_by_handle, looks_up, until, never, nested, growing, with_effects, mapped,
    mapped_twice, whole_numbers, scanned, gathered, joined, recurrent, of_lengths, both_ways, raw,
    branches, choices_of_one_kind, loop_on_a_branch,
)  # fmt: skip


def made(tf, path, build, **also):
    """Write the graph that `build` makes as a checkpoint; return a session's values.

    These are ``y``, its gradients by name (``x`` for the input), and what the functions in `also`
    make of ``y``.
    """
    v1 = tf.compat.v1
    with as_once(tf), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 2, UNITS), "x")
        y = tf.identity(build(tf, x), "y")
        others = {name: tf.identity(make(tf, y), name) for name, make in also.items()}
        variables = {one.op.name: one for one in v1.trainable_variables()} | {"x": x}
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(path))
        loss, zero = tf.reduce_sum(y**2), tf.UnconnectedGradients.ZERO
        found = v1.gradients(loss, list(variables.values()), unconnected_gradients=zero)
        gradients = dict(zip(variables, map(tf.convert_to_tensor, found), strict=True))
        return session.run({"y": y, "gradients": gradients, **others}, {x: VALUE})


def differentiated(tf, function):
    """Return the function's value, and the gradients of its variables and its input by name."""
    x = tf.constant(VALUE)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
        loss = tf.reduce_sum(y**2)
    sources = {one.name.removesuffix(":0"): one for one in function.variables} | {"x": x}
    return y, tape.gradient(loss, sources)


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_values_and_gradients_are_the_sessions(tf, tmp_path, build):
    """What TensorFlow 1 found where the graph was made, a function finds for its checkpoint."""
    wanted = made(tf, tmp_path / "net", build)

    y, gradients = differentiated(tf, zoo.load(tmp_path / "net").function(["x:0"], "y:0"))

    np.testing.assert_allclose(y, wanted["y"], rtol=1e-5, atol=1e-6)
    assert set(gradients) == set(wanted["gradients"])
    for name, gradient in wanted["gradients"].items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-5, atol=1e-6, err_msg=name)


def gradient_of(build):
    """Return what puts the gradients of a graph into the graph: loops with stacks."""

    def builds(tf, x):
        y = build(tf, x)
        return tf.compat.v1.gradients(tf.reduce_sum(y**2), [x])[0]

    return builds


def counts(tf, x):
    """Change a variable in each round."""
    kernel, rounds = weight(tf, "kernel"), weight(tf, "rounds", (), by_handle=True)

    def body(_, y):
        with tf.control_dependencies([rounds.assign_add(1.0)]):
            return [tf.tanh(y @ kernel) * rounds.read_value()]

    return repeat(tf, 4, body, x[0], parallel_iterations=1)


def counts_around(tf, x):
    """Change a variable in each round, and have another loop in it."""
    kernel, rounds = weight(tf, "kernel"), weight(tf, "rounds", (), by_handle=True)

    def body(_, y):
        with tf.control_dependencies([rounds.assign_add(1.0)]):
            return [repeat(tf, 2, lambda _, z: [tf.tanh(z @ kernel)], y) * rounds.read_value()]

    return repeat(tf, 4, body, x[0], parallel_iterations=1)


def shows_its_flow(tf, x):
    """Use the flow of an array as a number."""
    kernel = weight(tf, "kernel")
    array = tf.TensorArray(tf.float32, 4)
    _, full = repeat(tf, 4, lambda i, y, a: (tf.tanh(y @ kernel), a.write(i, y)), x[0], array)
    return full.stack() + full.flow


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (gradient_of(recurrent), "the array behind 'gradients/rnn/TensorArrayUnstack/"),
        (gradient_of(nested), "the loop 'gradients/while/while_context'"),
        (counts, "the loop 'while/while_context'"),
        (counts_around, "the loop 'while/while_context'"),
        (shows_its_flow, "the array behind 'TensorArrayStack/TensorArrayGatherV3'"),
    ],
)
def test_what_has_no_gradient_runs_and_says_so(tf, tmp_path, build, what):
    """Other loops give the same bits as in a session; a gradient is refused by name."""
    v1 = tf.compat.v1
    with as_once(tf), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 2, UNITS), "x")
        y = tf.identity(build(tf, x), "y")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "net"))
        wanted = session.run(y, {x: VALUE})
    model = zoo.load(tmp_path / "net")

    np.testing.assert_array_equal(model.function(["x:0"], "y:0")(VALUE), wanted)

    with pytest.raises(UnsupportedError, match="no gradient passes") as caught:
        differentiated(tf, model.function(["x:0"], "y:0"))
    assert what in caught.value.problem
    assert "trainable=False" in caught.value.hint


def test_what_comes_after_a_loop_trains(tf, tmp_path):
    """Both ways of the error's hint: a loop that is not trained, and inputs behind it."""

    def head(tf, y):
        return tf.tanh(y @ weight(tf, "head"))

    made(tf, tmp_path / "net", counts, head=head)
    model = zoo.load(tmp_path / "net")

    still = model.function(["x:0"], "y:0", trainable=False)
    with tf.GradientTape() as tape:
        features = still(VALUE)
        tape.watch(features)
        loss = tf.reduce_sum(features**2)
    np.testing.assert_array_equal(tape.gradient(loss, features), 2 * features)

    behind = model.function(["while/Exit_1:0"], "head:0")
    with tf.GradientTape() as tape:
        found = behind(features)
        loss = tf.reduce_sum(found)
    (kernel,) = behind.trainable_variables
    np.testing.assert_allclose(found, np.tanh(features @ kernel), rtol=1e-6)
    wanted = tf.transpose(features) @ (1 - found**2)
    np.testing.assert_allclose(tape.gradient(loss, kernel), wanted, rtol=1e-5)


@pytest.mark.parametrize("ends", [(["x:0", "while/Tanh:0"], "y:0"), (["x:0"], "while/Tanh:0")])
def test_ends_inside_of_a_loop(tf, tmp_path, ends):
    """They have a value for each round, so they are refused by name."""
    made(tf, tmp_path / "net", looks)

    with pytest.raises(UnsupportedError, match="loop 'while/while_context'"):
        zoo.load(tmp_path / "net").function(*ends)


def test_a_layer_with_a_loop(tf, tmp_path):
    """A Keras layer is made again from its configuration, loop and all, and trains."""
    from zoo.keras_layer import layer_class

    wanted = made(tf, tmp_path / "net", of_lengths)
    layer = zoo.load(tmp_path / "net").layer(["x:0"], "y:0")
    again = layer_class().from_config(layer.get_config())
    again.set_weights(layer.get_weights())

    with tf.GradientTape() as tape:
        y = again(tf.constant(VALUE))
        loss = tf.reduce_sum(y**2)
    (gradient,) = tape.gradient(loss, again.trainable_weights)

    np.testing.assert_allclose(y, wanted["y"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        gradient, wanted["gradients"]["rnn/net/kernel"], rtol=1e-5, atol=1e-6
    )


def holds_numbers(tf, x):
    """Have numbers that look like a weight inside of a loop, and others on a branch."""
    kernel = weight(tf, "kernel")
    numbers = np.random.default_rng(9).normal(size=(2, UNITS, UNITS)).astype(np.float32)

    def body(i, y):
        y = tf.tanh(y @ tf.constant(numbers[0]) @ kernel)
        return [tf.compat.v1.cond(i > 1, lambda: y @ tf.constant(numbers[1]), lambda: y)]

    return repeat(tf, 3, body, x[0])


def choice(tf, x):
    """Multiply by a weight and scale by another, on a branch and outside of all loops."""
    kernel, scale = weight(tf, "kernel", by_handle=True), weight(tf, "s", [UNITS], by_handle=True)
    return tf.compat.v1.cond(
        tf.reduce_sum(x) < 1e9, lambda: tf.tanh(x[0] @ kernel) * scale, lambda: x[0] * 2.0
    )


def by_handle(build):
    """Return `build` with its variables behind handles."""

    def builds(tf, x):
        with tf.compat.v1.variable_scope("", use_resource=True):
            return build(tf, x)

    return builds


@pytest.mark.parametrize("build", [choice, branches, loop_on_a_branch], ids=lambda b: b.__name__)
def test_weights_on_branches_train_after_freezing(tf, tmp_path, build):
    """What a branch reads by a handle is a weight in a frozen graph as well."""
    wanted = made(tf, tmp_path / "net", by_handle(build))
    frozen = zoo.load(tmp_path / "net").prune(["y:0"]).freeze()

    _, gradients = differentiated(tf, frozen.function(["x:0"], "y:0"))

    assert set(gradients) == set(wanted["gradients"]) > {"x"}
    for name, gradient in wanted["gradients"].items():
        np.testing.assert_allclose(gradients[name], gradient, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("build", [looks_up, holds_numbers])
def test_frozen_loops(tf, tmp_path, build):
    """Lookups by handle are frozen to what TensorFlow runs; numbers in a frame keep their value."""
    wanted = made(tf, tmp_path / "net", build)
    zoo.save(zoo.load(tmp_path / "net"), tmp_path / "net.pb", format="frozen")
    model = zoo.load(tmp_path / "net.pb")

    np.testing.assert_allclose(model.run("y:0", {"x:0": VALUE}), wanted["y"], rtol=1e-5)
    np.testing.assert_allclose(model.function(["x:0"], "y:0")(VALUE), wanted["y"], rtol=1e-5)
