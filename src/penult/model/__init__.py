"""Networks made ready to run: weights matched, or fetched by name, and all of it as a `Model`."""
