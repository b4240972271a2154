"""The one flat format of every tree ensemble, how rows run through it, and its Shapley values."""
