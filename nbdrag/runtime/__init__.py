"""Runs an edit beside the kernel's main thread, shows it, and remembers it."""
