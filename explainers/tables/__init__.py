"""Tables of users, read into one form, and operations on them."""
