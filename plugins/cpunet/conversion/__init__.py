"""Put IdentifyObjectsUNet in the place of IdentifyPrimaryObjects in saved pipelines, and back, without CellProfiler."""
