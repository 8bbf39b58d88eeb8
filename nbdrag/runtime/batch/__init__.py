"""One edit over any number of pictures: where they come from, where they go, and how to go on."""
