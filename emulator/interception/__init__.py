"""Traffic for the providers' real addresses, sent to the emulator from inside the process."""
