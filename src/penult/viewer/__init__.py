"""A table looked at: `view` serves a page of its pictures to the browser on this machine.

`content` answers what the page asks of a table, of which `edition` is one version; `requests` reads
what it asks, and `copying` copies images beside. `access` says who may ask, `routes` what is
answered where, and `server` puts all behind HTTP. The page itself is in `static`. `sheet` writes
contact sheets, of what `findings` and `reports` make sections of, with the drawings of `figures`.
"""
