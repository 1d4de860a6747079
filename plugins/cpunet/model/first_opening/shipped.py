"""The SHA-256 of the models that come with cpunet, written by scripts/write_shipped_sums.py."""

SHIPPED_SUMS = {
    "390e6d57ffac0ae9927f551186919ea6b925ee423fb3414b7fc980fe2deb67b4",  # nuclei_fluorescence
    "c19030c163ee53bce96c30295e54394fedabbe9c1715e19d8cfe24946bf832e1",  # nuclei_fluorescence_1
    "7cb75e473fca4221ceb46d3c53d6779008538994a59241d0fd94c41f300bec26",  # nuclei_fluorescence_int8
    "e539ac3aca1feb58323093318f663a06dfcf690980eff29af6259cfbb2cb536b",  # nuclei_generalist
    "096bd7e81596223524229a4299385ae99b60fc5742e3dee44de1c0e320587f6e",  # phase_cells
}
