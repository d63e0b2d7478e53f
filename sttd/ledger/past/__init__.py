"""What `sttd report` needs and the jobs themselves do not say: samples of the daemon, and sums of jobs that were forgotten."""
