"""Tables of features as other programs open them: a function a format or program.

`export` knows them all, by suffix or name; `formats` has the files that many programs read,
`indexes` those of search libraries, `rows` Parquet for programs that show tables, and `folders`
what needs several files. `neighbours` finds each row's for these. `frames` has tables in memory.
"""
