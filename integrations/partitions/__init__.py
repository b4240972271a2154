"""Tables in partitions, on one machine or on the workers of a cluster."""
