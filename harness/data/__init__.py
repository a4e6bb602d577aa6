"""Where benchmarks come in: file layouts (`sources`), pictures (`media`), clips (`video`), replies made elsewhere (`replies`)."""
