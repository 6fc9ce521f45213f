"""JSON values with something spoilt."""


def spoil(value, path, junk):
    """A copy of a JSON value with what is at the path replaced."""
    if not path:
        return junk
    copied = value.copy()
    copied[path[0]] = spoil(value[path[0]], path[1:], junk)
    return copied


def paths(value, path=()):
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*path, key))
