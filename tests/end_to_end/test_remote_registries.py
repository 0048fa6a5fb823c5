"""A registry that a server gives: asked again at each use, kept, pinned, never an older one."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from zoo import bringing, remote_registry
from zoo.catalogue import standard
from zoo.cli import run
from zoo.errors import FetchError, IntegrityError, RefusedError, RegistryError, UsageError
from zoo.library import Library
from zoo.names import Reference

DATA = b"the bytes of a model"


class _Answers(BaseHTTPRequestHandler):
    """Gives what is in the server's `files`, with an ETag, and notes what was asked."""

    def do_GET(self):
        """Answer 200, 304 where the ETag is known already, or 404."""
        path, etags = self.path.partition("?")[0], self.headers.get("If-None-Match", "")
        data = self.server.files.get(path)
        etag = f'"{hashlib.sha256(data or b"").hexdigest()[:8]}"'
        status = 404 if data is None else 304 if etag in etags else 200
        self.server.asked.append((path, status))
        self.send_response(status)
        self.send_header("ETag", etag)
        body = data if status == 200 else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def server():
    """Start a server on a port of its own, which stops when the test is over."""
    found = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    found.files, found.asked = {}, []
    found.url = f"http://127.0.0.1:{found.server_port}"
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def registry(summary="a net", extra="", url="file:models/net.pb"):
    """Return a registry with the model ``net``, whose file lies beside it."""
    digest = hashlib.sha256(DATA).hexdigest()
    return (
        f"version: 1\n{extra}models:\n  net:\n    summary: {summary}\n    weights:\n      one:\n"
        f"        format: frozen\n        urls: ['{url}']\n        sha256: {digest}\n"
        f"        size: {len(DATA)}\n"
    ).encode()


@pytest.fixture
def url(server):
    """Serve a registry, and the model beside it; return the registry's URL."""
    server.files |= {"/zoo/r.yaml": registry(), "/zoo/models/net.pb": DATA}
    return f"{server.url}/zoo/r.yaml"


def test_models_come_from_beside_the_registry(server, url):
    """A relative address is one of the server; the bytes are verified as ever."""
    name, fetched = Library(url).fetch("net")

    assert str(name) == "net:one"
    assert fetched.path.read_bytes() == DATA
    assert ("/zoo/models/net.pb", 200) in server.asked


def test_it_counts_before_all_others_by_option_and_by_environment(server, url, monkeypatch, capsys):
    """A name that a registry of this machine has too is the server's."""
    server.files["/zoo/r.yaml"] = registry().replace(b"  net:", b"  toy-adder:")
    assert run(["list", "toy*", "--registry", url]) == 0
    assert capsys.readouterr().out == f"toy-adder  a net (overrides {bundled()})\n"
    monkeypatch.setenv("ZOO_REGISTRY", url)
    assert run(["info", "toy-adder"]) == 0
    assert url in capsys.readouterr().out


def bundled():
    return standard().registries[0].place


def test_what_has_not_changed_is_not_sent_again(server, url):
    """The second question carries the ETag, and the kept copy answers."""
    for _ in range(2):
        assert [one.row.name for one in standard(url).listed("net")] == ["net"]

    assert server.asked == [("/zoo/r.yaml", 200), ("/zoo/r.yaml", 304)]


def test_a_new_edition_counts_at_once(server, url):
    """What changed on the server is what the next command sees."""
    standard(url).listed()
    server.files["/zoo/r.yaml"] = registry("another net")

    assert standard(url).entry("net").summary == "another net"


def test_n29_offline_the_copy_counts_and_no_server_is_asked(server, url):
    """The edition that came last; without one, the registry is what is missing."""
    with pytest.raises(FetchError, match="is not on this machine"):
        standard(url, offline=True).listed()
    standard(url).listed()
    server.asked.clear()

    assert standard(url, offline=True).entry("net").summary == "a net"
    assert server.asked == []
    with pytest.raises(FetchError, match="1 file is not on this machine") as caught:
        Library(url, offline=True).fetch("net")
    assert f"{server.url}/zoo/models/net.pb" in caught.value.found


def test_a_server_that_is_down_costs_a_remark(server, url):
    """The copy counts then; without a copy it is an error."""
    standard(url).listed()
    del server.files["/zoo/r.yaml"]

    with pytest.warns(UserWarning, match="the copy of .* that is here counts"):
        assert standard(url).entry("net").summary == "a net"
    with pytest.raises(FetchError):
        standard(f"{server.url}/zoo/other.yaml").listed()


def test_a_pinned_registry_is_that_one(server, url):
    """``#sha256=``: other bytes are refused; those that are here are not asked for again."""
    digest = hashlib.sha256(registry()).hexdigest()
    assert standard(f"{url}#sha256={digest}").entry("net").summary == "a net"
    server.files["/zoo/r.yaml"] = registry("another net")
    server.asked.clear()

    assert standard(f"{url}#sha256={digest}").entry("net").summary == "a net"
    assert server.asked == []
    with pytest.raises(IntegrityError):
        standard(f"{url}#sha256={'0' * 64}").listed()
    with pytest.raises(UsageError):
        standard(f"{url}#sha256=00").listed()


def test_y23_an_older_edition_is_refused(server, url):
    """A ``serial`` that goes back, or goes away, is an attack or a mistake; a pin overrules it."""
    server.files["/zoo/r.yaml"] = registry(extra="serial: 10\n")
    standard(url).listed()

    for extra in ("serial: 9\n", ""):
        server.files["/zoo/r.yaml"] = registry("older", extra)
        with pytest.raises(RegistryError, match="older than the one that came last"):
            standard(url).listed()
    digest = hashlib.sha256(registry("older")).hexdigest()
    assert standard(f"{url}#sha256={digest}").entry("net").summary == "older"
    server.files["/zoo/r.yaml"] = registry("newer", "serial: 11\n")
    assert standard(url).entry("net").summary == "newer"


def test_y23_an_expired_edition_is_remarked_on(server, url):
    """A server that holds newer editions back cannot do so in silence."""
    server.files["/zoo/r.yaml"] = registry(extra="expires: 2020-01-31\n")

    with pytest.warns(UserWarning, match="expired on 2020-01-31"):
        (only,) = [one for one in standard(url).listed() if str(one.registry) == url]
    assert only.row.name == "net"


@pytest.mark.parametrize("extra", ["serial: x\n", "serial: -1\n", "expires: soon\n"])
def test_y23_editions_are_numbered_in_digits(server, url, extra):
    """A serial is a number and an expiry a date."""
    server.files["/zoo/r.yaml"] = registry(extra=extra)

    with pytest.raises(RegistryError, match=r"r\.yaml:2: .* must be a"):
        standard(url).listed()


def test_y11_a_registry_has_a_largest_size(server, url, monkeypatch):
    """An endless answer ends."""
    monkeypatch.setattr(remote_registry, "LARGEST", 100)

    with pytest.raises(FetchError, match="larger than 100 bytes"):
        standard(url).listed()


@pytest.mark.parametrize("address", ["file:///etc/passwd", "file:../../net.pb"])
def test_y17_a_server_names_no_files_of_this_machine(server, url, address):
    """Absolute addresses and those that lead out are refused with their line."""
    server.files["/zoo/r.yaml"] = registry(url=address)

    with pytest.raises(RegistryError, match=r"r\.yaml:8: .*files of this machine"):
        Library(url).fetch("net")


def test_n23_a_public_registry_names_no_private_servers(server, url):
    """What came from the internet does not send zoo to the machines beside this one."""
    (public,) = [one for one in standard(url).registries if one.from_network]
    assert public.private  # this very server is on a private address, and may name such
    public.private = False
    pinned = bringing.of_entry(Reference("net"), public.entry("net"), public, None)
    server.asked.clear()

    with pytest.raises(RefusedError):
        bringing.bring(pinned, Library().store)

    assert server.asked == []
    public.private = True
    assert bringing.bring(pinned, Library().store).size == len(DATA)


def test_a_damaged_copy_is_not_believed(server, url, home):
    """Neither an edition with a flipped bit nor a torn note; the server is asked for all of it."""
    room = home / "registries" / "remote"
    for glob, spoil in (("*.yaml", registry("spoilt!")), ("*.json", b"{")):
        standard(url).listed()
        (path,) = room.glob(glob)
        path.chmod(0o644)
        path.write_bytes(spoil)
        server.asked.clear()

        assert standard(url).entry("net").summary == "a net"
        assert server.asked == [("/zoo/r.yaml", 200)]


def test_passwords_and_queries_of_its_url_are_shown_nowhere(server, url, capsys, home):
    """Not in a list, an error or a note that is kept; what lies beside it has none of them."""
    server.files["/zoo/r.yaml"] = registry() + b"  bad: {summary: s}\n"
    secret = url.replace("http://", "http://me:hidden1@") + "?key=hidden2"

    run(["list", "--json", "--registry", secret])
    run(["info", "net", "--registry", secret])
    run(["info", "bad", "--registry", secret])
    run(["fetch", "net", "--registry", secret])

    said = "".join(capsys.readouterr())
    assert "needs an architecture" in said
    assert "hidden" not in said
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"hidden" not in kept


def test_without_a_place_to_keep_it_it_is_read_all_the_same(server, url, home):
    """A cache that cannot be written costs a remark and the time."""
    (home / "registries").write_text("in the way")

    with pytest.warns(UserWarning, match="the registry is not kept"):
        assert standard(url).entry("net").summary == "a net"


def test_a_lock_of_its_models_needs_the_server_of_the_files_only(server, url, tmp_path):
    """``zoo.lock`` has absolute addresses of what lies beside it."""
    from zoo import locking

    path = tmp_path / "zoo.lock"
    locking.lock(Library(url), ["net"], path)
    del server.files["/zoo/r.yaml"]

    assert locking.sync(Library(), path)[0][1].path.read_bytes() == DATA
    assert f"{server.url}/zoo/models/net.pb" in path.read_text()


@pytest.mark.parametrize("kind", ["md5", "sha384"])
def test_what_upstream_states_is_checked_over_the_network_too(server, url, kind, home):
    """The first fetch is held against the md5; offline then, the file is known and here."""
    digest = hashlib.new(kind, DATA).hexdigest()
    text = registry().decode().replace(f"size: {len(DATA)}", f"{kind}: {digest}")
    text = "\n".join(line for line in text.splitlines() if "sha256" not in line)
    server.files["/zoo/r.yaml"] = text.encode()

    with pytest.warns(UserWarning, match=f"states only the {kind}"):
        Library(url).fetch("net")

    assert Library(url, offline=True).fetch("net")[1].from_cache
    server.files["/zoo/models/net.pb"] = DATA[::-1]
    for path in (home / "sha256").rglob("*"):
        path.unlink() if path.is_file() else None
    with pytest.raises(IntegrityError):
        Library(url).fetch("net")


def test_a_bare_url_is_trusted_the_first_time_only(server, url, home):
    """Over the network as from a file: what came first must come ever after."""
    model = f"{server.url}/zoo/models/net.pb"
    with pytest.raises(UsageError, match="not pinned"):
        Library().fetch(model)
    with pytest.warns(UserWarning, match="from now on it must be sha256"):
        assert Library(trust_first=True).fetch(model)[1].path.read_bytes() == DATA
    for path in (home / "sha256").rglob("*"):
        path.unlink() if path.is_file() else None
    server.files["/zoo/models/net.pb"] = DATA[::-1]

    with pytest.raises(IntegrityError) as caught:
        Library(trust_first=True).fetch(model)

    assert "seen first" in caught.value.hint
