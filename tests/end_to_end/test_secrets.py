"""S1, S2: no command says, logs or keeps a password, a token or a signed query, whatever happens.

Each command runs where every secret there can be is at hand, works and fails, quietly, loudly and
as JSON; then all that it printed and all that lies in its folders is searched.
"""

import base64
import hashlib
import logging

import pytest

from tests.faulty_server import FaultyServer, Served
from zoo import cli, redaction
from zoo.cli import run

SECRETS = {
    "token": "token-7f3a9c",
    "hub token": "hf-551d88aa0",
    "user": "alice",
    "password": "pw-41bb02",
    "query": "signed-99e1",
    "netrc": "pw-netrc-3d",
}
"""What must never be seen: user and password are in addresses, the query too."""
EVERYTHING = [
    *SECRETS.values(),
    base64.b64encode(b"alice:pw-41bb02").decode(),
    base64.b64encode(b"bob:pw-netrc-3d").decode(),
]


@pytest.fixture
def server():
    """Start a server that has a model and a registry behind credentials, and much that fails."""
    with FaultyServer() as found:
        yield found


@pytest.fixture
def model(tmp_path):
    """Return the bytes of a frozen adder."""
    assert run(["convert", "toy-adder", str(tmp_path / "made.pb"), "--to", "frozen", "-q"]) == 0
    data = (tmp_path / "made.pb").read_bytes()
    (tmp_path / "made.pb").unlink()
    return data


@pytest.fixture
def place(tmp_path, home, server, model, monkeypatch):
    """Stand in a project where each kind of secret counts for `server`; return its addresses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_TOKEN", f"{server.url}={SECRETS['token']}")
    monkeypatch.setenv("HF_TOKEN", SECRETS["hub token"])
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login bob password {SECRETS['netrc']}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    host = server.url.removeprefix("http://")
    good, bad = f"http://alice:{SECRETS['password']}@{host}", f"?sig={SECRETS['query']}"
    server.files = {
        "/net.pb": Served(model),
        "/other.pb": Served(b"not what was pinned"),
        "/refused.pb": lambda request: request.status(403),
        "/broken.pb": lambda request: request.status(500),
        "/away.pb": lambda request: request.status(302, Location=f"ftp://{host}/x{bad}"),
    }
    pin = f"#sha256={hashlib.sha256(model).hexdigest()}"
    names = ("net", "other", "refused", "broken", "away", "missing")
    addresses = {name: f"{good}/{name}.pb{bad}" for name in names}
    entries = "".join(
        f"  {name}:\n    summary: a net\n    weights:\n      one:\n        format: frozen\n"
        f"        urls: ['{server.url}/{name}.pb{bad}']\n        sha256: {pin[8:]}\n"
        f"        size: {len(model)}\n"
        for name in names
    )
    (home / "registry.yaml").write_text(f"version: 1\nmodels:\n{entries}")
    server.files["/registry.yaml"] = Served(f"version: 1\nmodels:\n{entries}".encode())
    addresses |= {name: url + pin for name, url in addresses.items()}
    return {**addresses, "registry": f"{good}/registry.yaml{bad}", "bare": f"{good}/net.pb{bad}"}


COMMANDS = {
    "add": ["add {net} --name mine", "add {missing} --name mine"],
    "cache": ["cache ls", "cache dir", "cache verify", "cache prune --dry-run", "cache rm net"],
    "check": ["check", "check {registry}"],
    "completion": ["completion zsh", "completion {net}"],
    "convert": [
        "convert {net} out.pb --to frozen",
        "convert net out-2.pb --to frozen",
        "convert {refused} out-3.pb --to frozen",
    ],
    "diff": ["diff {net} net", "diff {net} {broken}"],
    "doctor": ["doctor {net}", "doctor nothing.pb"],
    "fetch": [
        "fetch net",
        "fetch {net}",
        "fetch {bare}",
        "fetch {bare} --trust-first",
        "fetch other",
        "fetch refused",
        "fetch broken",
        "fetch away",
        "fetch {missing}",
        "fetch net --registry {registry}",
        "fetch net --offline --rehash",
    ],
    "finetune": ["finetune {refused} nothing out --outputs 2", "finetune {net} {net} out"],
    "formats": ["formats"],
    "info": ["info net", "info {net}", "info net --registry {registry}"],
    "inspect": ["inspect net", "inspect {net}", "inspect {refused}"],
    "list": ["list", "list --registry {registry}", "list --registry {missing}"],
    "lock": ["lock net", "lock {net}", "lock other"],
    "new-plugin": ["new-plugin {net}"],
    "plugins": ["plugins"],
    "rebuild": ["rebuild {net}"],
    "remove": ["remove net", "remove {net}"],
    "run": ["run {refused} -i w1=1", "run away -i w1=1"],
    "scan": ["scan net", "scan {net}", "scan {refused}"],
    "sync": ["lock net", "sync", "sync --offline"],
    "trust": ["trust net", "trust {net}", "trust {missing}", "trust --list"],
    "verify": ["fetch net", "verify net", "verify {net}"],
}
"""What is tried of each command; a name in braces is an address with all secrets in it."""
MANNERS = ((), ("--json",), ("-v",), ("-q",))


def test_every_command_is_tried():
    """A command that is new, a plugin's too, has to say here how it is tried."""
    assert set(COMMANDS) == set(cli.zoo.list_commands(None))


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_s1_s2_nothing_secret_is_seen(command, place, home, tmp_path, server, capfd):
    """In no output, and in no file that zoo wrote, is any of the secrets."""
    own = {home / "registry.yaml", tmp_path / "netrc"}
    for line in COMMANDS[command]:
        for manner in MANNERS:
            run([*(part.format(**place) for part in line.split()), *manner])
    printed = capfd.readouterr()

    assert printed.out + printed.err
    assert seen(printed.out + printed.err) == []
    assert {
        path: seen(text(path))
        for path in written(home, tmp_path) - own - private(home)
        if seen(text(path))
    } == {}


def test_s1_the_credentials_were_at_work(place, server, capfd):
    """The test above would find nothing where nothing secret was ever used."""
    assert run(["fetch", "net", "-v"]) == 0
    assert run(["fetch", place["missing"].partition("#")[0], "--trust-first"]) == 66
    sent = " ".join(asked.headers.get("authorization", "") for asked in server.requests)

    assert SECRETS["token"] in sent
    assert base64.b64encode(b"alice:pw-41bb02").decode() in sent
    assert SECRETS["query"] in server.requests[0].path


def test_s1_what_other_libraries_log_is_without_secrets(place, caplog, capfd):
    """Who turns logging on to see what goes wrong can show the log to others."""
    with caplog.at_level(logging.DEBUG):
        run(["fetch", "net"])
    told = " ".join(record.getMessage() for record in caplog.records)

    assert "net.pb" in told
    assert seen(told) == []


def test_s1_a_bug_of_ours_shows_none(place, monkeypatch, capfd):
    """A traceback ends with the words of an exception, which may be another library's."""

    def fails(*_, **__):
        raise ValueError(f"cannot open {place['bare']}: Authorization: Basic {EVERYTHING[-1]}")

    monkeypatch.setattr("zoo.library.Library.fetch", fails)

    assert run(["fetch", "net"]) == 70
    printed = capfd.readouterr()
    assert "Traceback" in printed.err
    assert seen(printed.out + printed.err) == []


def test_s1_an_error_as_json_shows_none(place, monkeypatch, capfd):
    """What a plugin puts into its error goes through the same guard."""
    from zoo.errors import DataError

    def fails(*_, **__):
        raise DataError("no", found=place["bare"], hint=f"say Bearer {SECRETS['token']}")

    monkeypatch.setattr("zoo.library.Library.fetch", fails)

    assert run(["fetch", "net", "--json"]) == 65
    printed = capfd.readouterr()
    assert '"found"' in printed.out
    assert seen(printed.out + printed.err) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://example.org/a#sha256=00", "see https://example.org/a#sha256=00"),
        ("'https://u:p@h/a?b=c'", "'https://h/a?...'"),
        ('"GET /a?b=c HTTP/1.1" 200', '"GET /a?... HTTP/1.1" 200'),
        ("Authorization: basic YWxpY2U6cHc=", "Authorization: basic ***"),
        ("a basic net with a few layers", "a basic net with a few layers"),
    ],
)
def test_s1_what_is_hidden_and_what_is_not(text, shown):
    """Digests and plain words stay."""
    assert redaction.redacted(text) == shown


def test_s1_a_short_token_is_not_looked_for(monkeypatch):
    """A token of one letter would take that letter out of every word."""
    monkeypatch.setenv("HF_TOKEN", "a")

    assert redaction.redacted("a model") == "a model"


def seen(printed):
    """Return which secrets are in `printed`."""
    return [secret for secret in EVERYTHING if secret in printed]


def written(*folders):
    """Return all files in `folders`."""
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()}


def private(home):
    """Return the copies of registries, which nobody else can read: they say what registries say."""
    folder = home / "registries"
    assert not folder.exists() or folder.stat().st_mode & 0o077 == 0
    return written(folder)


def text(path):
    """Return what is in the file at `path`, whatever it is."""
    return path.read_bytes().decode("latin-1")
