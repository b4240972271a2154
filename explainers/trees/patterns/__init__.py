"""Tables of the values of small subtrees, looked up by the way that a row takes through their splits."""
