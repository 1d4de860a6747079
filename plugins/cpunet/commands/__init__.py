"""The command line of the runtime: arguments in, text and exit codes out."""
