"""Runs over many images: into a table, `classify`, `verify`, and the commands of 2018."""
