"""The command line of export: arguments in, text and exit codes out."""
