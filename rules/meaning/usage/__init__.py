"""Where usage is reported, counted, buffered and reserved."""
