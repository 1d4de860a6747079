"""From labeled volumes to random patches."""
