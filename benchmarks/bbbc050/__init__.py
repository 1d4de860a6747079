"""Mouse embryos of BBBC050: models of volumes beside models of images, by the scores of the published table."""
