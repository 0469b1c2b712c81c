"""Tables of features as other programs open them: a function a program, found by its name.

`programs` knows them all, `rows` writes Parquet for those that show tables, `folders` what needs
several files, `indexes` the files of search libraries, and `near` finds each row's neighbours.
"""
