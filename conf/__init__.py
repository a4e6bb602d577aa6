"""What one run chooses: YAML only, composed by Hydra and checked by ``harness.config``. A package, so that a wheel carries it."""
