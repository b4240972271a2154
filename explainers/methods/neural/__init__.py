"""Neural networks: the choice between coalitions, the rescale rule and gradients along a path, and what its values are worth."""
