"""Programs for those who work on nbdrag; none of them is installed."""
