"""One module per dataset: its official files, and what is known of it."""
