"""How fast the emulator is, beside others on the same CPU in the same minutes: `make bench`."""
