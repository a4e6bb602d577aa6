"""What people read, computed from finished runs only: no model, no task and no network is needed for any of it."""
