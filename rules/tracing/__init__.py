"""From the metered action to the charge, across files: what each file shows, joined by names."""
