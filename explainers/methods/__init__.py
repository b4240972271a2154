"""The engines that compute Shapley values, one file each, and the table that assigns them to structures."""
