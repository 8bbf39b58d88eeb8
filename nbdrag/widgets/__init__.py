"""What shows in a notebook cell: a thin Python half for each folder of js/src."""
