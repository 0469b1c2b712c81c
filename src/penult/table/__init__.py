"""What users hold: a table whose methods are the functions that take one, and how to make one."""
