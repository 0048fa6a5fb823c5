"""Where zoo keeps things: fetched models and compiled registries, and the user's own registry."""

from __future__ import annotations

import os
from pathlib import Path

_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Models fetched by zoo; safe to delete.\n"


def cache() -> Path:
    """Return the folder for what can be fetched or computed again.

    ``$ZOO_HOME``, else ``$XDG_CACHE_HOME/zoo``, else the platform's place.  The environment is
    read at each call.
    """
    home = os.environ.get("ZOO_HOME")
    if home:
        return Path(home).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "zoo"
    import platformdirs

    return platformdirs.user_cache_path("zoo")


def own_registry() -> Path:
    """Return the path of the user's own registry, whether it is there or not."""
    home = os.environ.get("ZOO_HOME")
    if home:
        return Path(home).expanduser() / "registry.yaml"
    base = os.environ.get("XDG_CONFIG_HOME")
    if base:
        return Path(base) / "zoo" / "registry.yaml"
    import platformdirs

    return platformdirs.user_config_path("zoo") / "registry.yaml"


def mark(folder: Path) -> None:
    """Mark `folder` as a cache, which back-ups leave out, if it is not marked yet."""
    tag = folder / "CACHEDIR.TAG"
    if not tag.exists():
        tag.write_text(_TAG, encoding="utf-8")
