"""``python -m zoo`` is ``zoo``."""

from zoo.cli import main

main()
