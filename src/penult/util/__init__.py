"""What any part may need, and knows of no other: files, HTTP, messages, the machine, signals."""
