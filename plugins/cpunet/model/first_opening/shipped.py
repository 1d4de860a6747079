"""The SHA-256 of the models that come with cpunet, written by scripts/write_shipped_sums.py."""

SHIPPED_SUMS = {
    "e525307d5aa91d825a8431e61a41f3fdfcbca2186551ebce70b8267288f17154",  # nuclei_fluorescence
    "c19030c163ee53bce96c30295e54394fedabbe9c1715e19d8cfe24946bf832e1",  # nuclei_fluorescence_1
    "663234dd11d011e1fc42bd3af0c36599e1e11cd03dd4c6b26551d803d72af78e",  # nuclei_fluorescence_int8
    "e539ac3aca1feb58323093318f663a06dfcf690980eff29af6259cfbb2cb536b",  # nuclei_generalist
    "096bd7e81596223524229a4299385ae99b60fc5742e3dee44de1c0e320587f6e",  # phase_cells
}
