"""The demonstration: the main job end to end against a local stand-in for GitHub."""
