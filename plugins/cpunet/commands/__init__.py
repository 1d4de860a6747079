"""The commands of the runtime: arguments in, text and exit codes out."""
