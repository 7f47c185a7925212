"""``dungeonlab-target.toml``: which server is judged, who logs in, and how a stage is set on it.

document    the file as TOML, with the environment put in, and the line of everything that stands in it
values      what one value may be; model: what tables and keys there are; schema: the JSON Schema made from that
faults      what does not fit the model, in one sentence
rules       what the tables ask of each other
build       from a file without faults to a `Target`
load        all of that, one after the other; what everybody else calls
advice      what to add to the file so that more can be judged; template.toml: what `init` writes
"""
