"""Programs in which a training is logged beside its run folder, one file each."""
