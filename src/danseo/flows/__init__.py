"""One module a use case, from a person's act to the last entry."""
