"""The SHA-256 of the models that come with cpunet, written by scripts/write_shipped_sums.py."""

SHIPPED_SUMS = {
    "b975d35493ffafa3d85dbe6c81c824cff4e33810148d8cf9a78075e6a74deec2",  # nuclei_fluorescence
    "c19030c163ee53bce96c30295e54394fedabbe9c1715e19d8cfe24946bf832e1",  # nuclei_fluorescence_1
    "577dc934cc5264097b094f51abc5eccf283ad730f6b87e26e5840428bc541b06",  # nuclei_fluorescence_int8
    "e539ac3aca1feb58323093318f663a06dfcf690980eff29af6259cfbb2cb536b",  # nuclei_generalist
    "096bd7e81596223524229a4299385ae99b60fc5742e3dee44de1c0e320587f6e",  # phase_cells
}
