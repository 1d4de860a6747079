"""Write large label images part by part."""
