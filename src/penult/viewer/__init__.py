"""A table looked at: `view` serves a page of its pictures to the browser on this machine.

`thumbnails` makes pictures of bounded size, `content` answers what the page asks of a table,
`access` says who may ask, and `server` puts both behind HTTP. The page itself is in `static`.
"""
