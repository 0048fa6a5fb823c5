"""Registries, store and plugins together: what a name, a path or a URL means."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import detect, names, origins, placing, plugins
from zoo.located import BUILT, Located
from zoo.offline import is_offline
from zoo.patience import USUAL, Manner
from zoo.renaming import NONE, Wishes
from zoo.sources import is_url
from zoo.trust import trusting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.bringing import Pinned
    from zoo.catalogue import Catalogue
    from zoo.entries import Entry, Weights
    from zoo.fetching import Fetched
    from zoo.formats import Format, Saved
    from zoo.loaded import Loaded
    from zoo.lockfile import Lock
    from zoo.model import Model
    from zoo.opened import Opened
    from zoo.sources import Source
    from zoo.store import Store
    from zoo.trust import Trust


@dataclass
class Library:
    """What the functions of `zoo` and its commands work with.

    Attributes
    ----------
    registry
        A registry that counts before all others, by its path or URL.
    offline
        Whether nothing may be asked over the network; ``ZOO_OFFLINE`` says so too.
    trust_first
        Whether a bare URL may be without a digest: what comes first must come ever after.
    manner
        How files are fetched.
    rehash
        Whether the bytes of all that is used from the store are hashed before, and what is damaged
        is fetched anew; ``ZOO_REHASH`` says so too.
    trust
        Whether every model that is opened may do anything when it runs.
    """

    registry: Path | str | None = None
    offline: bool = False
    trust_first: bool = False
    manner: Manner = USUAL
    rehash: bool = False
    trust: bool = False

    def __post_init__(self) -> None:
        self.offline = is_offline(self.offline)
        self.rehash = self.rehash or os.environ.get("ZOO_REHASH", "") not in ("", "0")

    @cached_property
    def catalogue(self) -> Catalogue:
        """The registries."""
        from zoo.catalogue import standard

        return standard(self.registry, offline=self.offline)

    @cached_property
    def lock(self) -> Lock | None:
        """The ``zoo.lock`` of the folder one stands in, if it has one."""
        from zoo import lockfile

        return lockfile.here()

    @cached_property
    def store(self) -> Store:
        """The store of fetched models."""
        from zoo import home
        from zoo.store import Store

        return Store(home.cache(), rehash=self.rehash)

    @property
    def plugins(self) -> Loaded:
        """The plugins of this environment."""
        return plugins.installed()

    def open(
        self,
        ref: str | Path,
        *,
        format: str | None = None,  # noqa: A002  (the word users know)
        wishes: Wishes = NONE,
        options: Mapping[str, Any] | None = None,
    ) -> Opened:
        """Return the model that `ref` means: a registered name, a path or a URL.

        Parameters
        ----------
        format
            The format to read it in, recognised by its contents if not given.
        wishes
            A graph to attach its weights to, and what becomes of them before.
        options
            What the format's ``load`` is given besides; it must declare them.

        Raises
        ------
        UnknownNameError
            Nothing has this name, or nothing lies there.
        FormatError
            What lies there is damaged, or in no format that is installed.
        UsageError
            `ref` means several models, or an option is not the format's.
        """
        found = self.locate(ref, format, wishes)
        return self.read(found, ref, options or {})

    def read(self, found: Located, ref: str | Path, options: Mapping[str, Any]) -> Opened:
        """Return the model that lies at `found`, with the trust that is in what `ref` means."""
        trust = self.trust_in(found, ref)
        with trusting() if self.trust else nullcontext():
            opened = found.opened(self.plugins, options)
        return replace(opened, model=replace(opened.model, trust=trust))

    def trust_in(self, found: Located, ref: str | Path) -> Trust:
        """Return how far the model at `found`, called `ref`, is trusted."""
        trust = origins.trust_in(found, ref, self._named(ref), self.catalogue, self.plugins)
        return trust.full() if self.trust else trust

    def locate(
        self,
        ref: str | Path,
        format: str | None = None,  # noqa: A002  (the word users know)
        wishes: Wishes = NONE,
    ) -> Located:
        """Return where the model that `ref` means lies, fetched if it was not there.

        Raises
        ------
        FormatError, UnknownNameError, UsageError
            As `open` has them, but for what only reading shows.
        """
        name = self._named(ref)
        if name is None:
            found = self._find(ref, format)
            return Located(found.form.name, found.path, wishes)
        entry = self.catalogue.entry(name.name)
        entry.refuse_other(name.name, format, wishes.architecture)
        return self._locate_entry(name, entry, wishes)

    def inspect(
        self,
        ref: str | Path,
        format: str | None = None,  # noqa: A002  (the word users know)
        options: Mapping[str, Any] | None = None,
        wishes: Wishes = NONE,
        tensors: str | None = None,
    ) -> dict[str, Any]:
        """Return what is in the model that `ref` means, the document of ``zoo inspect --json``."""
        from zoo import describe, inspection

        if self._named(ref) is None and wishes == NONE:
            path = placing.inside(self._path(ref), self._root)
            if format is not None:
                form = plugins.format_named(self.plugins, format)
                return inspection.model_at(form, path, options or {}, tensors)
            self._refuse_unknown(ref, path)
            return inspection.inspect(path, plugins.formats(self.plugins), options or {}, tensors)
        opened = self.open(ref, format=format, options=options, wishes=wishes)
        document = describe.describe(opened.model, opened.format, opened.path, (), tensors)
        attached = opened.model.attached
        return document if attached is None else {**document, "attached": attached.facts()}

    def fetch(self, ref: str) -> tuple[names.Reference, Fetched]:
        """Return the model that `ref`, a name or URL, means as it lies in the store.

        Raises
        ------
        UnknownNameError
            No registry has it.
        UsageError
            There is nothing to fetch, as a plugin builds it; or the URL is not pinned.
        FetchError
            No source gave it.
        """
        pinned = self.pinned(ref)
        return pinned.name, self.bring(pinned)

    def bring(self, pinned: Pinned) -> Fetched:
        """Return the model `pinned` as it lies in the store; see `zoo.bringing.bring`."""
        from zoo import bringing

        how: dict[str, Any] = {"offline": self.offline, "others": self.sources}
        return bringing.bring(pinned, self.store, self.manner, **how)

    def sources(self) -> Mapping[str, Source]:
        """Return what opens URLs besides zoo itself, by scheme."""
        return plugins.sources(self.plugins)

    def pinned(self, ref: str) -> Pinned:
        """Return the files of which the model consists that `ref` means, and what they must be.

        Raises
        ------
        IntegrityError
            The project has locked other bytes under this name.
        UnknownNameError, UsageError
            As `fetch` has them.
        """
        from zoo import bringing

        if is_url(ref):
            return bringing.of_url(ref, trust_first=self.trust_first)
        name = self._named(ref)
        if name is None:
            raise self.catalogue.unknown(ref)
        registry = self.catalogue.registry_of(name.name)
        return bringing.of_entry(name, registry.entry(name.name), registry, self.lock)

    def files(self, opened: Opened) -> list[Path]:
        """Return the files of which the model `opened` consists; none if it was built."""
        if opened.path is None:
            return []
        return plugins.format_named(self.plugins, opened.format).files_at(opened.path)

    def save(
        self,
        model: Model,
        path: str | Path,
        format: str,  # noqa: A002  (the word users know)
        options: Mapping[str, Any] | None = None,
    ) -> Saved:
        """Write `model` to `path` in `format`; return where it is and what was changed."""
        form = plugins.format_named(self.plugins, format)
        return form.write(model, Path(path), options or {})

    def _named(self, ref: str | Path) -> names.Reference | None:
        """Return the registered name that `ref` is, None if it is a path or a URL."""
        found = names.reference(ref) if isinstance(ref, str) else None
        return found if found is not None and found.name in self.catalogue else None

    def _find(self, ref: str | Path, form: str | None) -> detect.Found[Format]:
        path = self._path(ref)
        if form is not None:
            path = placing.inside(path, self._root)
            return detect.Found(plugins.format_named(self.plugins, form), path)
        self._refuse_unknown(ref, path)
        return placing.found(path, plugins.formats(self.plugins), self._root)

    def _root(self) -> Path:
        return self.store.root

    def _path(self, ref: str | Path) -> Path:
        """Return where what a path or URL means lies, fetched if it was not there."""
        return self.fetch(str(ref))[1].path if isinstance(ref, str) and is_url(ref) else Path(ref)

    def _refuse_unknown(self, ref: str | Path, path: Path) -> None:
        """Refuse a name that nobody registered, and that is no path either."""
        looks_named = isinstance(ref, str) and names.reference(ref) is not None
        if looks_named and not detect.is_something(path, plugins.formats(self.plugins)):
            raise self.catalogue.unknown(str(ref))

    def _locate_entry(self, name: names.Reference, entry: Entry, wishes: Wishes) -> Located:
        from zoo import bringing

        called: dict[str, Any] = {"inputs": entry.inputs, "outputs": entry.outputs, "entry": entry}
        wanted = replace(wishes, architecture=entry.architecture)
        if not entry.weights and name.tag is None:
            return Located(BUILT, None, wanted, **called)
        name = bringing.tagged(name, entry, self.lock)
        weights = entry.weights[str(name.tag)]
        form = plugins.format_named(self.plugins, weights.format)
        return Located(form.name, self._place(name, weights), wanted, **called)

    def _place(self, name: names.Reference, weights: Weights) -> Path:
        """Return where the model is whose `weights` are tagged as `name` says."""
        if weights.link is not None:
            return self.catalogue.registry_of(name.name).base / weights.link
        fetched = self.fetch(str(name))[1]
        return placing.placed(fetched, weights, plugins.formats(self.plugins), self.store)
