"""Reading of archives and arrays that may come from strangers: what is read is limited, checked, and never run."""
