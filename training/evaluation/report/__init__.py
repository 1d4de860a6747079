"""The page that `cpunet evaluate` writes: figures, pictures, tables and advice."""
