"""One edit, many pictures: editing vectors and the libraries that hold them."""
