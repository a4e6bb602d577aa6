"""Models over the border: ours where other harnesses look for theirs, and theirs as ours."""
