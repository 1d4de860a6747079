"""How good is a model: scores, pictures and reports."""
