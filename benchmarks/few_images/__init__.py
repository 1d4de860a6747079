"""What a few labeled images of one's own are worth: fine-tuning, calibration and training from scratch."""
