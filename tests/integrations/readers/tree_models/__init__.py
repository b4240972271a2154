"""Every kind of tree model that is read, small, with the library's own predictions."""
