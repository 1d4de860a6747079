"""Review by experts: a page on which they mark false and missed objects, and the scores of what they marked."""
