"""Score networks of volumes on whole labeled volumes."""
