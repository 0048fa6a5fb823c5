"""The commands of ``zoo``: each reads its arguments, calls one function, prints what it returns."""
