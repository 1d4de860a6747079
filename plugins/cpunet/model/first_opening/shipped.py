"""The SHA-256 of the models that come with cpunet, written by scripts/write_shipped_sums.py."""

SHIPPED_SUMS = {
    "0818c6a74fcd0412b78e2363c23107241960c0c361e37501da1ac18a83c5a9dc",  # nuclei_fluorescence
    "c19030c163ee53bce96c30295e54394fedabbe9c1715e19d8cfe24946bf832e1",  # nuclei_fluorescence_1
    "aba51730f537dd30b9d0d474482460b5ea9352a71419e4b39d6dacbcb18b10f6",  # nuclei_fluorescence_int8
    "6f3ad94dae19b9f4553a73c19a15341fbdb23862005b9a583c227a67a7324a43",  # nuclei_generalist
    "096bd7e81596223524229a4299385ae99b60fc5742e3dee44de1c0e320587f6e",  # phase_cells
}
