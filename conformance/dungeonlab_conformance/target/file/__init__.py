"""``dungeonlab-target.toml``: which server is judged, who logs in, and how a stage is set on it.

document    the file as TOML, with the environment put in, and the line of everything that stands in it
checking    what is wrong with it, in one sentence
building    from a file without faults to a `Target`
loading     all of that, one after the other; what everybody else calls
schema.json what may stand in it; template.toml what `init` writes
"""
