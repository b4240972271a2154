"""Models as the service sees them: bundles behind one interface, scores block by block, rolling importance."""
