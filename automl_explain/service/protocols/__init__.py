"""The protocols that the service speaks: what their requests ask, and the forms of their answers; one file each."""
