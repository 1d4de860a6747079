"""Choose, object by object, among the objects that several models find in one image."""
