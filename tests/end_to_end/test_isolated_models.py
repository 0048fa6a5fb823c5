"""`zoo run` of models that do more than compute: what they are after does not happen."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from zoo import bubblewrap, landlock, output

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
LOCKS = pytest.mark.skipif(not landlock.version(), reason="this system has no Landlock")


@pytest.fixture
def run(tmp_path, tf):
    """Return what `zoo run` says of a graph that `build` makes, its output ``y``."""

    def ran(build, *arguments):
        with tf.Graph().as_default() as graph:
            tf.identity(build(tf, tf.compat.v1.placeholder(tf.float32, [], "x")), "y")
        (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
        return zoo_run(tmp_path / "net.pb", "-i", "x=1", "--trust", *arguments)

    return ran


def command(*arguments):
    return [sys.executable, "-m", "zoo", "run", *map(str, arguments)]


def zoo_run(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True)


def after(tf, operation, x):
    with tf.control_dependencies([operation]):
        return x + 1


@LOCKS
def test_files_are_not_written(run, tmp_path):
    """Printing to one is writing too; it is tried by a model that is trusted."""
    target = tmp_path / "written"

    def build(tf, x):
        printed = tf.raw_ops.PrintV2(input="evil", output_stream=f"file://{target}")
        return after(tf, printed, x) + after(tf, tf.io.write_file(str(target), "evil"), x)

    done = run(build, "--isolated")

    assert done.returncode == 65
    assert "Permission denied" in done.stderr
    assert not target.exists()


@LOCKS
def test_a_home_is_not_read(run, tmp_path):
    """Neither its files nor their names; the model's own folder is not, either."""
    (tmp_path / "secret").write_text("secret")

    def build(tf, x):
        names = tf.raw_ops.MatchingFiles(pattern=[f"{tmp_path}/*", f"{Path.home()}/.*"])
        with tf.control_dependencies([x]):
            return tf.size(names)

    done = run(build, "--isolated")

    assert (done.returncode, done.stdout) == (0, "y = 0\n")


@pytest.mark.slow
def test_nobody_is_called(run, tmp_path):
    """A debugger's address is asked outside alone; inside the call is given up in its time."""
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def wait():
            with contextlib.suppress(OSError):
                server.accept()[0].close()
                asked.set()

        threading.Thread(target=wait, daemon=True).start()
        url = f"grpc://127.0.0.1:{server.getsockname()[1]}"

        def build(tf, x):
            return tf.raw_ops.DebugIdentity(
                input=x, device_name="", tensor_name="x:0", debug_urls=[url], gated_grpc=False
            )

        done = run(build, "--isolated", "--timeout", "0.5")
        assert done.returncode == 65
        assert "within 0.5 seconds" in done.stderr
        assert not asked.is_set()
        with subprocess.Popen(
            command(tmp_path / "net.pb", "-i", "x=1", "--trust", "--no-isolated")
        ) as outside:
            was_asked = asked.wait(60)
            outside.kill()
        assert was_asked


def test_m15_an_abort_is_one_error(run):
    """TensorFlow's last words are in it; the traces of its threads are not."""

    def build(tf, x):
        return after(tf, tf.raw_ops.Abort(error_msg="planned", exit_without_error=False), x)

    done = run(build, "--isolated", "--json")

    assert done.returncode == 65
    assert json.loads(done.stdout)["error"]["kind"] == "RunError"
    assert "SIGABRT" in done.stderr
    assert "planned" in done.stderr
    assert done.stderr.count("\n") <= 3


@pytest.mark.slow
def test_m19_memory_is_not_taken_beyond_what_is_given(run):
    """A tensor of 4 GiB is refused where there is 1 GB; how there is more, is said."""

    def build(tf, x):
        return tf.reduce_sum(tf.fill([1 << 30], x))

    done = run(build, "--isolated", "--memory", "1GB")

    assert done.returncode == 65
    assert "--memory SIZE" in done.stderr


@pytest.mark.slow
def test_m16_a_loop_without_end_is_ended(run):
    """In its time, as it is where nothing is isolated."""

    def build(tf, x):
        return tf.while_loop(lambda i: i > 0, lambda i: [i * 1], [x])[0]

    done = run(build, "--isolated", "--timeout", "1")

    assert done.returncode == 65
    assert "within 1 seconds" in done.stderr


def test_the_same_is_given_and_written(tf, tmp_path):
    """By the parent: arrays, text and half precision, to the terminal, JSON and a file."""
    import numpy as np

    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        tf.identity(tf.cast(x, tf.bfloat16), "half")
        tf.strings.as_string(x, name="text")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    np.save(tmp_path / "x.npy", np.float32([1, 2]))
    given = (tmp_path / "net.pb", "-i", f"x=@{tmp_path}/x.npy", "-o", "half", "-o", "text")

    here = zoo_run(*given, "--no-isolated", "--save", tmp_path / "here.npz")
    there = zoo_run(*given, "--isolated", "--json", "--save", tmp_path / "there.npz")

    assert there.returncode == here.returncode == 0, there.stderr
    assert json.loads(there.stdout)["outputs"]["half"] == [1.0, 2.0]
    assert (tmp_path / "here.npz").read_bytes() == (tmp_path / "there.npz").read_bytes()


MODELS = {
    "a Keras file": "net.keras",
    "a vocabulary": "vocabulary",
    "a checkpoint": "checkpoint/model",
    "a SavedModel": "saved_model",
}


@pytest.fixture(scope="module")
def innocent(tf, tmp_path_factory):
    """Return a folder of models that do no harm, each with the input ``x``."""
    import keras

    import zoo_checkpoint
    import zoo_saved_model
    from zoo.samples import sample_model

    folder = tmp_path_factory.mktemp("innocent")
    zoo_checkpoint.save(sample_model(), folder / "checkpoint" / "model")
    zoo_saved_model.save(sample_model(), folder / "saved_model")
    net = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(3)])
    net.save(folder / "net.keras")
    (folder / "words").write_text("a\nb\n")
    module = tf.Module()
    module.table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(folder / "words"), tf.string, 0, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        ),
        1,
    )
    module.f = tf.function(
        lambda x: {"y": module.table.lookup(x)}, [tf.TensorSpec([None], tf.string, "x")]
    )
    tf.saved_model.save(module, str(folder / "vocabulary"), signatures=module.f)
    return folder


@pytest.mark.parametrize(
    "name",
    [*list(MODELS)[:2], *(pytest.param(one, marks=pytest.mark.slow) for one in list(MODELS)[2:])],
)
def test_innocent_models_give_the_same(innocent, name):
    """Isolated or not; each in the format that it is in."""
    import zoo

    path = innocent / MODELS[name]
    model = zoo.load(path)
    (key, spec), *_ = model.signature().inputs.items()
    value = '["b", "c"]' if spec.dtype.name == "string" else json.dumps(_numbers(spec))
    wanted = model.run(None, {key: json.loads(value)})

    done = zoo_run(path, "-i", f"{key}={value}", "--isolated", "--json")

    assert done.returncode == 0, done.stderr
    assert done.stdout == output.document({"outputs": wanted}) + "\n"


def _numbers(spec):
    import numpy as np

    return np.ones([1 if size is None else size for size in spec.shape]).tolist()


@pytest.mark.slow
@pytest.mark.skipif(not bubblewrap.works(), reason="bubblewrap is not here, or not allowed")
def test_bubblewrap_itself(run, tmp_path):
    """Where it is, a model runs in it, and writes nothing."""

    def build(tf, x):
        return after(tf, tf.io.write_file(str(tmp_path / "written"), "evil"), x)

    assert run(lambda _, x: x + 1, "--isolation", "bwrap").stdout == "y = 2.0\n"
    assert run(build, "--isolation", "bwrap").returncode == 65
    assert not (tmp_path / "written").exists()
