"""The tutorial of ``cpunet demo-swap``."""
