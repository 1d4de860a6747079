"""Search good numbers for a training: many short trials at random, first coarse, then fine."""
