"""The stages of the pipeline, one a module. They share `emulator.exchange` and never import each other."""
