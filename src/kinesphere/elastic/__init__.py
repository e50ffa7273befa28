"""What scales pools, and what tells beforehand how they would scale."""
