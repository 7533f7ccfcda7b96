"""The pages, one file each: read controls, build a request, draw. No torch, no tensors."""
