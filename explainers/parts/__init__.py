"""Tables explained as a whole from the explanations of their parts."""
