"""How wide should the boundaries be that a network learns, if it learns nothing else?"""
