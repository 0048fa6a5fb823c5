"""Calls that would wait for ever end, and the next call works."""

import signal
import subprocess
import sys
import time

import pytest

import zoo
from zoo.cli import run
from zoo.errors import RunError
from zoo.model import Model
from zoo.protos import MetaGraphDef


def model(tf, build):
    """Return the model of the graph that `build` makes with TensorFlow 1."""
    with tf.Graph().as_default() as graph:
        build(tf.compat.v1)
        written = tf.compat.v1.train.export_meta_graph(graph=graph)
    return Model(MetaGraphDef.FromString(written.SerializeToString()), {})


def pipeline(v1, path="/nowhere/a.txt"):
    """Build what trained on files: names, lines of these, batches of lines."""
    names = v1.train.string_input_producer([path])
    _, line = v1.TextLineReader().read(names)
    batch = v1.train.batch([v1.string_to_number(line)], 3, name="batch")
    v1.multiply(batch, 2.0, name="y")


def test_runners_that_nobody_started(tf):
    """The batches come from a queue: its name, who fills it, and what to feed are told at once."""
    trained = model(tf, pipeline)

    with pytest.raises(RunError) as caught:
        trained.run("y")

    assert "'batch/fifo_queue'" in caught.value.problem
    assert "batch/fifo_queue_enqueue" in caught.value.found
    assert "-i batch:0=@x.npy" in caught.value.hint
    assert trained.run("y", {"batch:0": [1.0, 2.0, 3.0]}).tolist() == [2, 4, 6]


def test_runners_in_a_session(tf, tmp_path):
    """What the hint says works: in a session the runners fill the queue, reading our own file."""
    (tmp_path / "a.txt").write_text("1\n2\n3\n")
    trained = model(tf, lambda v1: pipeline(v1, str(tmp_path / "a.txt"))).trusted()
    coordinator = tf.compat.v1.train.Coordinator()

    with trained.session() as session:
        threads = tf.compat.v1.train.start_queue_runners(session, coordinator)
        assert session.run("y:0").tolist() == [2, 4, 6]
        coordinator.request_stop()
        coordinator.join(threads)


def chooses(v1):
    """Build a queue on a branch, one that is filled beyond its size, and a loop without an end."""
    queue = v1.FIFOQueue(1, [v1.float32], shapes=[[]], name="queue")
    taken = v1.placeholder(v1.bool, [], name="taken")
    v1.identity(v1.cond(taken, queue.dequeue, lambda: 7.0), name="y")
    with v1.control_dependencies([queue.enqueue_many([[1.0, 2.0]])]):
        v1.constant(1.0, name="full")
    bound = v1.placeholder(v1.float32, [], name="bound")
    v1.identity(v1.while_loop(lambda i: i < bound, lambda i: i + 1, [0.0]), name="loop")


def test_what_may_wait_gets_a_limit(tf):
    """The branch that takes is given up, the other runs, and so does the next call."""
    either = model(tf, chooses)

    assert either.run("y", {"taken": False}) == 7
    for fetch, feeds in (("y", {"taken": True}), ("full", {})):
        with pytest.raises(RunError, match=r"did not end within 0\.5 seconds"):
            either.run(fetch, feeds, timeout=0.5)
        assert either.run("y", {"taken": False}) == 7


def test_the_limit_is_there_by_default(tf, monkeypatch):
    """Nobody has to ask for it, where a queue is reached; elsewhere there is none."""
    monkeypatch.setattr("zoo.waiting.LIMIT", 0.2)
    either = model(tf, chooses)

    with pytest.raises(RunError, match=r"did not end within 0\.2 seconds"):
        either.run("y", {"taken": True})
    assert either.run("loop", {"bound": 1e6}) == 1e6


def test_any_call_may_be_limited(tf):
    """A loop that does not end is given up where the caller says when."""
    either = model(tf, chooses)

    with pytest.raises(RunError, match="--timeout"):
        either.run("loop", {"bound": 1e30}, timeout=0.5)
    assert either.run("loop", {"bound": 5.0}) == 5


def test_the_command_has_the_limit(tf, tmp_path, capsys):
    """``zoo run --timeout`` ends with 65 and says so."""
    saved = zoo.save(model(tf, chooses), tmp_path / "m", "checkpoint")

    code = run(["run", str(saved.path), "-o", "y", "-i", "taken=true", "--timeout", "0.5"])

    assert code == 65
    assert "did not end within 0.5 seconds" in capsys.readouterr().err
    assert run(["run", str(saved.path), "-o", "y", "--timeout", "0"]) == 2


def test_other_stores(tf):
    """Barriers, accumulators and staging areas; what the call puts in, it can take out."""
    from tensorflow.python.ops import data_flow_ops

    def build(v1):
        data_flow_ops.Barrier([v1.float32], shapes=[()], name="bar").take_many(1, name="take")
        gradients = v1.ConditionalAccumulator(v1.float32, shape=[2], name="sum")
        gradients.take_grad(1, name="gradient")
        area = data_flow_ops.StagingArea([v1.float32], shapes=[()], shared_name="area")
        area.get(name="staged")
        other = data_flow_ops.StagingArea([v1.float32], shapes=[()], shared_name="other")
        with v1.control_dependencies([other.put([v1.constant(4.0)])]):
            other.get(name="again")

    stores = model(tf, build)

    for fetch, store in (("take:0", "bar"), ("gradient:0", "sum"), ("staged:0", "area")):
        with pytest.raises(RunError, match=f"nothing fills '{store}'"):
            stores.run(fetch)
    assert [stores.run("again:0") for _ in range(2)] == [4, 4]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_command_ends_when_it_is_asked_once(tf, tmp_path, number, code):
    """Also inside of TensorFlow, where no signal is heard."""
    saved = zoo.save(model(tf, chooses), tmp_path / "m", "checkpoint")
    program = (
        "import signal, sys; from zoo import cli, running; real = running.Runner.run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def run(*given):\n    print('here', flush=True)\n    return real(*given)\n"
        "running.Runner.run = run; cli.main(sys.argv[1:])"
    )
    given = ["run", str(saved.path), "-o", "loop", "-i", "bound=1e30"]
    with subprocess.Popen([sys.executable, "-c", program, *given], stdout=subprocess.PIPE) as zoo_:
        assert zoo_.stdout.readline() == b"here\n"
        time.sleep(1)
        zoo_.send_signal(number)
        assert zoo_.wait(20) == code
