"""Neural networks: the structure that frameworks supply, and attributions by gradients."""
