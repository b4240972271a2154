"""A hierarchical attention network that imitates a model of texts, and what its weights and gradients say about words."""
