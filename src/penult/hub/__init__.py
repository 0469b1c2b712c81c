"""Repositories of the Hugging Face hub by name, and folders as the hub keeps them."""
