"""What both sides of the API agree on: kinds, schemas, metadata, selectors, quantities, patches, errors. No I/O."""
