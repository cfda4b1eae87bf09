"""An index's pictures as points of a map, and how far it can be trusted."""
