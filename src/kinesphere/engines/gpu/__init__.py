"""What engines on GPUs share. Imported in replicas' child processes only; torch is not needed."""
