"""The SHA-256 of the models that come with cpunet, written by scripts/write_shipped_sums.py."""

SHIPPED_SUMS = {
    "e173934471f339065dc130eb484975d4cc29aabf641bf17fa1ecdb415262392e",  # nuclei_fluorescence
    "c19030c163ee53bce96c30295e54394fedabbe9c1715e19d8cfe24946bf832e1",  # nuclei_fluorescence_1
    "6ebbf33ecb307d3c7a8c2523e78507d07d384c5dbcef151e37682c60ea9e11c9",  # nuclei_fluorescence_int8
    "e539ac3aca1feb58323093318f663a06dfcf690980eff29af6259cfbb2cb536b",  # nuclei_generalist
    "096bd7e81596223524229a4299385ae99b60fc5742e3dee44de1c0e320587f6e",  # phase_cells
}
