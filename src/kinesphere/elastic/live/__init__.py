"""The scaler on the running platform: what it sees, when it decides, who acts."""
