"""Pictures of what each model finds, and of its mistakes."""
