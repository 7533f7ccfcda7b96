// Return the sharpness of uint8 pixels (H, W, C), as models/metrics/sharpness.py has it: the variance of the 3x3
// Laplacian of the luminance, in squared units of [-1, 1], over all places where the kernel fits in.
function sharpness(pixels, [height, width, channels]) {
  const grey = new Float64Array(width * height)
  for (let i = 0; i < pixels.length; i++) grey[Math.floor(i / channels)] += pixels[i] / (127.5 * channels)
  let sum = 0
  let squares = 0
  for (let y = 1; y < height - 1; y++) {
    for (let i = y * width + 1; i < (y + 1) * width - 1; i++) {
      const edge = grey[i - 1] + grey[i + 1] + grey[i - width] + grey[i + width] - 4 * grey[i]
      sum += edge
      squares += edge * edge
    }
  }
  const n = (height - 2) * (width - 2)
  return (squares - (sum * sum) / n) / (n - 1)
}
