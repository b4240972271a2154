"""The tap on a FLAML search, and the rows that its models are scored and explained on."""
