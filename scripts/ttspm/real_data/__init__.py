"""What the package says of samples that others recorded; docs/real_data.md is made from it."""
