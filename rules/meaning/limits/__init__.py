"""Where usage meets what is allowed."""
