"""Reading ink in charred papyrus."""
