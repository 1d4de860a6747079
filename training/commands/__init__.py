"""The command line of training: arguments in, text and exit codes out."""
